/**
 * Checks of a backend that can be trained: its graph must say of drawings what they were told when they were drawn, and its gradient must be
 * the slope of that. Differences are taken along the gradient of one adapted tensor at a time, for a value by itself may have none,
 * from four points, so that the curvature of a step of a hundredth does not count.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend, Drawing } from '@gvu/models';
import { flatSize, initialLora, loraLayout, packFlat, readAdapter, sizeOf, toNumbers, writeAdapter } from '@gvu/onnx';
import { assertClose } from '../assertions.ts';
import type { ConformanceCheck } from '../check.ts';
import { policyProgram } from './policy-program.ts';
import { adapterOf, adapterOptions, adapterValues, type BackendSubject, logProbsOf } from './subject.ts';

/** The most adapted tensors whose gradient is compared, spread over the model. */
const probes = 10;

export function trainingChecks(subject: BackendSubject): readonly ConformanceCheck[] {
  const { create, runtime, requests, tolerances } = subject;
  const tolerance = tolerances.logProbs;
  return [
    {
      name: 'differentiates the policy that it draws from, without an adapter and with one',
      async run() {
        await using backend = await create();
        for (const scale of [undefined, 0.2]) {
          await using adapter = scale === undefined ? undefined : await adapterOf(subject, backend, scale);
          const drawings = await backend.draw(requests, { adapter });
          await using program = await policyProgram({ backend, runtime, drawings }, { adapted: adapter !== undefined });
          const at = adapter && toNumbers((await adapter.variables.read(['adapter'])).adapter);
          const { logp, entropy, mask } = await program.run(at ? { adapter: at } : {});
          assertClose(logp, logProbsOf(drawings), { tolerance, what: 'log-probabilities of the graph' });
          assert.ok(
            entropy.every((value) => value >= -1e-5 && Number.isFinite(value)),
            'entropies are finite and not below 0',
          );
          const free = drawings.flatMap((drawing) => freeOf(drawing, backend));
          assert.deepEqual(mask, free, 'the mask says which decisions were free, as the drawing does');
        }
      },
    },
    {
      name: 'has the same policy however far prompts are padded, and with checkpointing',
      async run() {
        await using backend = await create();
        const drawings = await backend.draw(requests.slice(0, 2));
        const common = { backend, runtime, drawings };
        await using plain = await policyProgram(common);
        const expected = (await plain.run()).logp;
        for (const option of [{ extraLength: 16 }, { checkpointing: true }]) {
          await using program = await policyProgram(common, option);
          assertClose((await program.run()).logp, expected, { tolerance, what: JSON.stringify(option) });
        }
      },
    },
    {
      name: 'has the gradient that differences of its log-probabilities have',
      async run() {
        await using backend = await create();
        await using start = await adapterOf(subject, backend, 0.1);
        const drawings = await backend.draw(requests.slice(0, 2), { adapter: start });
        const layout = loraLayout(backend.modules, adapterOptions(backend));
        const values = Array.from(adapterValues(flatSize(layout), 0.1).data);
        const weights = logProbsOf(drawings).map((_, i) => Math.cos(3 * i * i));
        const common = { backend, runtime, drawings };
        await using slopes = await policyProgram(common, { adapted: true, gradient: true });
        await using plain = await policyProgram(common, { adapted: true });
        const { gradient } = await slopes.run({ adapter: values, weights });
        assert.ok(Math.hypot(...gradient) > 1e-4, 'the adapter has no gradient at all');
        // Added up in double precision: only the rounding of single log-probabilities is left.
        const at = async (adapter: readonly number[]) =>
          (await plain.run({ adapter })).logp.reduce((total, value, i) => total + value * (weights[i] ?? 0), 0);
        for (const { name, from, to } of chosen(layout)) {
          const part = gradient.slice(from, to);
          const slope = Math.hypot(...part);
          const along = (by: number) =>
            at(
              values.map((value, i) =>
                i >= from && i < to ? value + (by * (gradient[i] ?? 0)) / (slope || 1) : value,
              ),
            );
          const quotient = async (step: number) => ((await along(step)) - (await along(-step))) / (2 * step);
          const found = (4 * (await quotient(0.01)) - (await quotient(0.02))) / 3;
          const allowed = 3e-3 + tolerances.gradient * slope;
          assert.ok(
            Math.abs(found - slope) <= allowed,
            `${name}: the gradient has length ${slope}, differences along it give ${found}; they may be ${allowed} apart`,
          );
        }
      },
    },
    {
      name: 'makes rewarded drawings likelier by one step of gradient ascent',
      async run() {
        await using backend = await create();
        const [first] = requests;
        const drawings = await backend.draw(
          requests.slice(0, 4).map(({ randomness }) => ({ prompt: first?.prompt ?? '', randomness })),
        );
        const options = adapterOptions(backend);
        const layout = loraLayout(backend.modules, options);
        const values = Array.from(toNumbers(packFlat(layout, 'float32', initialLora(backend.modules, options, 1))));
        const advantages = drawings.flatMap((drawing, row) =>
          freeOf(drawing, backend).map((free) => (row % 2 === 0 ? free : -free)),
        );
        await using program = await policyProgram({ backend, runtime, drawings }, { adapted: true, gradient: true });
        const before = await program.run({ adapter: values, weights: advantages });
        const squared = before.gradient.reduce((total, value) => total + value * value, 0);
        assert.ok(squared > 0, 'the adapter has no gradient where training starts');
        const promised = 0.05;
        const step = promised / squared;
        const moved = values.map((value, i) => value + step * (before.gradient[i] ?? 0));
        const after = await program.run({ adapter: moved, weights: advantages });
        const gained = after.logp.reduce(
          (total, value, i) => total + (advantages[i] ?? 0) * (value - (before.logp[i] ?? 0)),
          0,
        );
        assert.ok(
          gained > promised / 2 && gained < promised * 2,
          `the step promises ${promised} nats more for what was rewarded, and gives ${gained}`,
        );
      },
    },
    {
      name: 'has modules whose adapter survives a file in the layout of PEFT',
      async run() {
        await using backend = await create();
        const options = adapterOptions(backend);
        const tensors = initialLora(backend.modules, options, 7);
        const folder = await mkdtemp(join(tmpdir(), 'gvu-conformance-'));
        try {
          const path = join(folder, 'adapter');
          await writeAdapter(path, { options, tensors }, { modules: backend.modules });
          const found = await readAdapter(path, backend.modules);
          assert.deepEqual(new Map([...found.tensors].sort()), new Map([...tensors].sort()));
        } finally {
          await rm(folder, { recursive: true });
        }
      },
    },
  ];
}

function freeOf({ free }: Drawing, { image }: Backend): readonly number[] {
  return free ? [...free] : Array.from({ length: image.decisions }, () => 1);
}

/** Some tensors of a layout, evenly spread, with their places in the flat adapter. */
function chosen(layout: ReturnType<typeof loraLayout>): readonly { name: string; from: number; to: number }[] {
  let offset = 0;
  const all = layout.map(({ name, shape }) => {
    const from = offset;
    offset += sizeOf(shape);
    return { name, from, to: offset };
  });
  const every = Math.max(1, all.length / probes);
  return Array.from({ length: Math.min(probes, all.length) }, (_, i) => all[Math.floor(i * every)]).flatMap(
    (one) => one ?? [],
  );
}

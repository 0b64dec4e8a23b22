/** Checks of what a backend says of itself, and of its end. */
import assert from 'node:assert/strict';
import { isTarget } from '@gvu/onnx';
import type { ConformanceCheck } from '../check.ts';
import type { BackendCapability, BackendSubject } from './subject.ts';

const policies = ['autoregressive', 'masked-diffusion', 'flow'];
const forms = ['emitted-tokens', 'retokenised-pixels', 'features'];

export function declarationChecks(
  { create, requests }: BackendSubject,
  capabilities: readonly BackendCapability[],
): readonly ConformanceCheck[] {
  const reads = capabilities.includes('image-to-text');
  return [
    {
      name: 'says what it is, in the terms of the contract',
      async run() {
        await using backend = await create();
        const { name, version, policy, image, representations, parameters, modules, defaultTargets } = backend;
        assert.ok(name !== '' && version !== '', 'name and version say something');
        assert.ok(policies.includes(policy), `'${policy}' is no kind of policy`);
        for (const [key, value] of Object.entries({ ...image, parameters }))
          if (['width', 'height', 'decisions', 'parameters'].includes(key))
            assert.ok(Number.isSafeInteger(value) && value >= 1, `${key} is ${value}, not a whole number from 1`);
        for (const form of representations) assert.ok(forms.includes(form), `'${form}' is no representation`);
        assert.equal(new Set(representations).size, representations.length, 'a representation is listed once');
        if (reads) assert.ok(representations.length > 0, 'a backend that reads says what it can be shown');
        const names = modules.map((module) => module.name);
        assert.equal(new Set(names).size, names.length, 'a module is listed once');
        for (const target of defaultTargets)
          assert.ok(
            names.some((module) => isTarget(module, [target])),
            `no module is the default target '${target}'`,
          );
      },
    },
    {
      name: 'can be disposed of twice, and takes nothing from others',
      async run() {
        const backend = await create();
        await using other = await create();
        await backend[Symbol.asyncDispose]();
        await backend[Symbol.asyncDispose]();
        await other.draw(requests.slice(0, 1));
      },
    },
  ];
}

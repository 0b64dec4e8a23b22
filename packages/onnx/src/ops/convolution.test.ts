import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { expectTwins } from '../../test/twins.ts';
import { checkGradients } from '../autodiff/check.ts';
import { createGraph, input, type Tensor } from '../graph/graph.ts';
import { Runtime } from '../runtime/runtime.ts';
import { type ConvOptions, conv, convTranspose } from './convolution.ts';

const runtime = await Runtime.create({ threads: 1 });
afterAll(() => runtime.dispose());

type Options = Omit<ConvOptions, 'bias'> & { outputPadding?: number | readonly number[] };
type Case = [x: readonly number[], weight: readonly number[], options: Options];

const convolutions: Record<string, Case> = {
  'same size': [[2, 3, 5, 6], [4, 3, 3, 3], { pads: 1 }],
  'one place': [[2, 3, 3, 4], [5, 3, 1, 1], {}],
  'downsampling of a VQ encoder': [[1, 2, 6, 6], [3, 2, 3, 3], { pads: [0, 0, 1, 1], stride: 2 }],
  'elements that no window reaches': [[1, 2, 7, 8], [2, 2, 3, 3], { stride: [3, 4] }],
  'patch embedding': [[1, 3, 8, 12], [4, 3, 4, 4], { stride: 4 }],
  'two groups': [[2, 4, 5, 5], [6, 2, 3, 3], { pads: 1, groups: 2 }],
  depthwise: [[2, 3, 5, 5], [3, 1, 3, 3], { groups: 3 }],
  'depthwise, two filters a channel': [[1, 2, 4, 5], [4, 1, 2, 3], { groups: 2, pads: 1 }],
  dilated: [[1, 2, 7, 7], [2, 2, 3, 3], { pads: 2, dilation: 2 }],
  'dilated and strided': [[1, 2, 9, 8], [2, 2, 2, 3], { dilation: [3, 2], stride: [2, 1] }],
  'oblong kernel': [[1, 2, 5, 7], [2, 2, 1, 3], { pads: [0, 1, 0, 1], stride: [1, 2] }],
  'pads wider than the kernel': [[1, 2, 3, 3], [2, 2, 2, 1], { pads: [2, 1, 1, 3] }],
  'many filters, few channels': [[2, 1, 4, 4], [9, 1, 3, 3], { pads: 1 }],
  'many channels, few filters': [[2, 9, 4, 4], [1, 9, 3, 3], { pads: 1 }],
  'one axis': [[2, 3, 7], [4, 3, 3], { pads: 1, stride: 2 }],
  'three axes, causal in the first': [
    [1, 2, 3, 4, 4],
    [2, 2, 3, 3, 3],
    { pads: [2, 1, 1, 0, 1, 1], stride: [1, 2, 2] },
  ],
  'kernel as large as the image': [[3, 2, 4, 4], [3, 2, 4, 4], {}],
};

const transposed: Record<string, Case> = {
  'one stride': [[1, 2, 4, 4], [2, 3, 3, 3], {}],
  upsampling: [[2, 3, 3, 4], [3, 2, 3, 3], { stride: 2, pads: 1, outputPadding: 1 }],
  'asymmetric pads': [[1, 2, 4, 3], [2, 2, 3, 3], { stride: [2, 1], pads: [0, 1, 1, 0] }],
  'two groups': [[2, 4, 3, 3], [4, 1, 2, 2], { stride: 2, groups: 2 }],
  dilated: [[1, 2, 3, 3], [2, 1, 2, 3], { dilation: 2, stride: 3, outputPadding: [2, 1] }],
  'one axis': [[2, 2, 4], [2, 3, 4], { stride: 2, pads: 1 }],
  'three axes': [[1, 2, 2, 3, 2], [2, 1, 2, 2, 2], { stride: [1, 2, 2] }],
  'pads wider than the kernel': [[1, 1, 5, 5], [1, 2, 2, 2], { pads: 2 }],
};

describe.each([
  ['conv', conv, convolutions],
  ['convTranspose', convTranspose, transposed],
] as const)('%s', (name, build, cases) => {
  describe.each(Object.entries(cases))('%s', (_, [x, weight, options]) => {
    const { groups = 1 } = options;
    const filters = name === 'conv' ? (weight[0] ?? 0) : (weight[1] ?? 0) * groups;
    const withBias = (image: Tensor, filter: Tensor, bias: Tensor) => build(image, filter, { ...options, bias });

    test('has the gradients that differences give', async () => {
      const inputs = [x, weight, [filters]].map((shape) => ({ shape }));
      await checkGradients(withBias, inputs, { runtime, elements: 48 });
    });

    test('is the same fused and decomposed', async () => {
      await expectTwins(withBias, [x, weight, [filters]]);
      await expectTwins((image, filter) => build(image, filter, options), [x, weight]);
    });
  });

  test('runs in half precision', async () => {
    const [[x, weight, options] = fail()] = Object.values(cases);
    const half = { targets: ['cuda'], dtype: 'float16', tolerance: 5e-3 } as const;
    await expectTwins((image, filter) => build(image, filter, options), [x, weight], half);
  });
});

test('random convolutions are the same fused and decomposed', async () => {
  const axis = fc.record({
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    extra: fc.nat(3),
    before: fc.nat(2),
    after: fc.nat(2),
  });
  const counts = fc.record({
    batch: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 2 }),
    channels: fc.integer({ min: 1, max: 4 }),
    filters: fc.integer({ min: 1, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(axis, { minLength: 1, maxLength: 2 }),
      counts,
      async (axes, { batch, groups, channels, filters }) => {
        const kernel = axes.map((one) => one.kernel);
        const spatial = axes.map((one) => (one.kernel - 1) * one.dilation + 1 + one.extra);
        const options = {
          groups,
          stride: axes.map((one) => one.stride),
          dilation: axes.map((one) => one.dilation),
          pads: [...axes.map((one) => one.before), ...axes.map((one) => one.after)],
        };
        await expectTwins(
          (x, weight) => conv(x, weight, options),
          [
            [batch, groups * channels, ...spatial],
            [groups * filters, channels, ...kernel],
          ],
          { targets: ['cpu'] },
        );
      },
    ),
    { numRuns: 40, seed: 20_261_123 },
  );
});

test.each(['cpu', 'reference'] as const)('what does not fit is refused with its shapes: %s', (target) => {
  const graph = createGraph({ target });
  const image = (...shape: number[]) => input(graph, `x${shape}`, { dtype: 'float32', shape });
  const x = image(1, 4, 5, 5);
  const refused: readonly (readonly [() => Tensor, RegExp])[] = [
    [() => conv(x, image(2, 3, 3, 3)), /4 channels in 1 groups/],
    [() => conv(x, image(3, 2, 3, 3), { groups: 2 }), /4 channels in 2 groups/],
    [() => conv(x, image(2, 4, 6, 6)), /window of 6 does not fit 5/],
    [() => conv(x, image(2, 4, 2, 2), { pads: [1, 1] }), /pads \[1, 1\] are not 4 integers from 0/],
    [() => conv(x, image(2, 4, 1, 2), { pads: -1, stride: 0.5 }), /strides \[0.5, 0.5\].*; pads \[-1/],
    [() => conv(x, image(4, 4, 3)), /kernel_shape \[3\] are not 2/],
    [() => convTranspose(x, image(4, 3, 2, 2), { stride: 2, outputPadding: 2 }), /below the strides \[2, 2\]/],
    [() => convTranspose(x, image(5, 4, 2, 2)), /does not fit the channels/],
    [() => convTranspose(x, image(4, 1, 1, 1), { pads: 3 }), /pads take more/],
  ];
  for (const [build, message] of refused) expect(build).toThrow(message);
});

function fail(): never {
  throw new Error('there is no case');
}

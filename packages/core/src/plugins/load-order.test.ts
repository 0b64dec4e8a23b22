import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadOrder } from './load-order.ts';

const names = (ordered: readonly { name: string }[]): string => ordered.map(({ name }) => name).join(' ');

test('keeps the listed order where nothing depends on anything', () => {
  const listed = ['c', 'a', 'b'].map((name) => ({ name, dependsOn: ['elsewhere'] }));
  expect(loadOrder(listed)).toEqual({ ordered: listed, cycles: [] });
});

test('puts what is needed first, and nothing else out of its place', () => {
  const { ordered, cycles } = loadOrder([
    { name: 'a', dependsOn: ['d', 'c'] },
    { name: 'b', dependsOn: [] },
    { name: 'c', dependsOn: ['d'] },
    { name: 'd', dependsOn: [] },
  ]);
  expect(names(ordered)).toBe('d c a b');
  expect(cycles).toEqual([]);
});

test('gives every circle as a closed path, and each plugin once', () => {
  const { ordered, cycles } = loadOrder([
    { name: 'start', dependsOn: ['a'] },
    { name: 'a', dependsOn: ['b', 'free'] },
    { name: 'b', dependsOn: ['c'] },
    { name: 'c', dependsOn: ['a'] },
    { name: 'self', dependsOn: ['self'] },
    { name: 'free', dependsOn: [] },
  ]);
  expect(cycles).toEqual([
    ['a', 'b', 'c', 'a'],
    ['self', 'self'],
  ]);
  expect(ordered).toHaveLength(6);
});

test('property: an order without circles has every dependency before its dependents', () => {
  const graphs = fc
    .integer({ min: 1, max: 12 })
    .chain((size) =>
      fc.tuple(
        fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
        fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 30 }),
      ),
    );
  fc.assert(
    fc.property(graphs, ([listing, edges]) => {
      // Edges only from a higher to a lower number: never a circle.
      const nodes = listing.map((i) => ({
        name: `p${i}`,
        dependsOn: edges.flatMap(([from, to]) => (from === i && to < i ? [`p${to}`] : [])),
      }));
      const { ordered, cycles } = loadOrder(nodes);
      const place = new Map(ordered.map(({ name }, at) => [name, at]));
      expect(cycles).toEqual([]);
      expect(place.size).toBe(nodes.length);
      for (const node of nodes) {
        for (const name of node.dependsOn) expect(place.get(name)).toBeLessThan(place.get(node.name) ?? -1);
      }
    }),
    { seed: 20_240_611 },
  );
});

import { expect, test } from 'vitest';
import { type OpName, specs } from '../graph/specs.ts';
import { gradientRules } from './rules.ts';

const noDerivative = 'its result is no floating-point number';
const without: Readonly<Partial<Record<OpName, string>>> = {
  Equal: noDerivative,
  Less: noDerivative,
  LessOrEqual: noDerivative,
  Greater: noDerivative,
  GreaterOrEqual: noDerivative,
  And: noDerivative,
  Or: noDerivative,
  Not: noDerivative,
  OneHot: 'its operand is an integer',
  Mod: 'it counts positions, which are integers',
  Attention: 'it decodes against a cache; `attention`, which trains, is composed of products and softmax',
  Loop: 'generation is sampled, never differentiated; training unrolls',
  If: 'no function that trains branches',
};

test('every operator has a gradient rule or a reason to have none', () => {
  const open = Object.keys(specs).filter((op) => !Object.hasOwn(gradientRules, op));
  expect(new Set(open)).toEqual(new Set(Object.keys(without)));
});

/** The benchmarks of GvU that need no files of their own conform; and the kit itself on one of questions, right and wrong. */
import { join } from 'node:path';
import { PluginHost, throwIfFailed } from '@gvu/core';
import { benchmarks, judges, type QuestionBenchmark } from '@gvu/evals';
import * as vitest from 'vitest';
import { benchmarkConformance } from '../src/benchmark.ts';
import { runChecks } from '../src/check.ts';
import { testConformance } from '../src/test-conformance.ts';

const directory = join(import.meta.dirname, '../../evals');
const host = new PluginHost({ projectDirectory: directory });
host.registerContributionPoint(benchmarks);
host.registerContributionPoint(judges);
throwIfFailed(await host.load([directory]));
vitest.afterAll(() => host[Symbol.asyncDispose]());

for (const id of ['geneval', 'geneval-pp', 'imagine-bench', 't2i-compbench'])
  testConformance(
    vitest,
    `benchmark ${id}`,
    benchmarkConformance({ create: () => host.create(benchmarks, id, { deps: undefined }) }),
  );

const colours = ['red', 'green', 'blue'];
const questions: QuestionBenchmark = {
  kind: 'understanding',
  name: 'colours',
  version: '1',
  source: 'this test',
  defects: [],
  overall: 'items',
  maxTokens: 4,
  async *questions() {
    for (const [i, reference] of colours.entries())
      yield {
        question: { id: `${i}`, tag: 'colour', cluster: `${i}`, text: `Which colour is picture ${i}?`, reference },
        image: { bytes: new Uint8Array(1) },
      };
  },
  score: (answered) => ({
    items: answered.map(({ id, tag, answer, reference }) => ({
      id,
      tag,
      value: answer === JSON.stringify(reference) ? 1 : 0,
    })),
    unscored: [],
    records: [],
  }),
};
testConformance(vitest, 'benchmark of questions', benchmarkConformance({ create: () => questions }));

vitest.it('a benchmark that scores beyond 1 and asks twice under one name is found out', async () => {
  const broken: QuestionBenchmark = {
    ...questions,
    async *questions() {
      yield* questions.questions();
      yield* questions.questions();
    },
    score: (answered, options) => {
      const scores = questions.score(answered, options);
      return { ...scores, items: scores.items.map((item) => ({ ...item, value: 2 * item.value })) };
    },
  };
  const { failed } = await runChecks(benchmarkConformance({ create: () => broken }));
  vitest
    .expect(failed.map(({ name }) => name))
    .toEqual([
      'asks for the same things in the same order, each under a name of its own',
      'scores from 0 to 1 what it asked for, and says why where it cannot',
    ]);
});

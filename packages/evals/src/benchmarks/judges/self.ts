/**
 * The model under test as its own judge: through its answers in words, and through the probability of "yes" against "no". What it
 * cannot see it does not miss in its own drawings either: its verdicts compare runs of one model, and are no benchmark result.
 */
import type { ActiveAdapter, Backend, ReadRequest } from '@gvu/models';
import type { Judge } from '../judge.ts';

const maxTokens = 128;

export interface SelfJudgeDeps {
  readonly backend: Pick<Backend, 'name' | 'version' | 'answer' | 'read'>;
  readonly adapter: ActiveAdapter | undefined;
}

export function selfJudge({ backend, adapter }: SelfJudgeDeps): Judge {
  const whole = (system: string | undefined, question: string) =>
    system === undefined ? question : `${system}\n${question}`;
  return {
    name: 'self',
    version: `1 ${backend.name} ${backend.version}${adapter ? ' with the adapter' : ''}`,
    async answer(questions, { signal }) {
      return await backend.answer(
        questions.map(({ pixels, system, question }) => ({ image: { pixels }, question: whole(system, question) })),
        { adapter, signal, maxTokens },
      );
    },
    async probability(questions, { signal }) {
      const requests = questions.flatMap(({ pixels, system, question }): ReadRequest[] =>
        ['yes', 'no'].map((text) => ({ image: { pixels }, instruction: whole(system, question), text })),
      );
      const traces = await backend.read(requests, { adapter, signal });
      const logProb = (i: number) => (traces[i]?.logProbs ?? []).reduce((sum, value) => sum + value, 0);
      return questions.map((_, i) => 1 / (1 + Math.exp(logProb(2 * i + 1) - logProb(2 * i))));
    },
  };
}

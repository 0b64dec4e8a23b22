/** Figure 8: what becomes of the reward of true images when words of their prompts are left out, or exchanged for false ones. */
import { type MeanEstimate, pairedBootstrap } from '../bootstrap.ts';
import { type Scale, scaleOf } from '../numbers.ts';
import { wilsonInterval } from '../proportion.ts';
import { type IntervalRow, intervalChart } from '../report/interval-chart.ts';
import type { Reproduction } from './reproduction.ts';
import { type Cell, changeValue, claim, levelValue, measured, type Section } from './section.ts';
import type { ReadWording } from './wordings.ts';
import type { WordsResult } from './words-file.ts';

const scale: Scale = scaleOf([0, 1]);
/** Makes the intervals the same each time. */
const bootstrapSeed = 0;

const changes = ['removed', 'replaced'] as const;

export function wordSection({ words }: Reproduction): Section {
  const parts = words.map((result) => ({ result, ...estimatesOf(result) }));
  return {
    title: 'What words are worth to the reward',
    mirrors:
      'Figure 8 of the paper: the reward of drawings falls when count, colour or region words are taken out of the prompt, most for region words.',
    adds: 'Words that are exchanged for false ones: leaving words out changes the length and the wording of what is read, so that its effect need not be about the image. True images in place of drawings, so that the whole prompt is known to be right; intervals; the number of tests.',
    seen: parts.flatMap(({ result: { base }, kinds, differences }) =>
      kinds.flatMap((kind) =>
        changes.map((change) =>
          claim(`With ${kind} words ${change}, the reward of the ${base} base`, differences[change].get(kind), {
            scale,
          }),
        ),
      ),
    ),
    tables: parts.map(({ result, kinds, levels, differences }) => {
      const source = { scale, runs: [result.folder] };
      return {
        title: `Reward of true images, ${result.base} base (${result.backend.name} ${result.backend.version})`,
        head: [
          'words',
          'prompts',
          'tests',
          'whole',
          'removed',
          'change by removing',
          'replaced',
          'change by replacing',
          'whole above replaced, %',
        ],
        rows: kinds.map((kind): readonly Cell[] => {
          const own = result.list.filter((test) => test.kind === kind);
          return [
            kind,
            measured(String(levels.full.get(kind)?.n ?? 0), source.runs),
            measured(String(own.length), source.runs),
            levelValue(levels.full.get(kind), source),
            levelValue(levels.removed.get(kind), source),
            changeValue(differences.removed.get(kind), source),
            levelValue(levels.replaced.get(kind), source),
            changeValue(differences.replaced.get(kind), source),
            measured(shareText(own), source.runs),
          ];
        }),
        total: false,
        note: `The reward is the geometric mean of the probabilities of the text's tokens (Eq. 5), in points of 100, read by the base from ${result.wordings.name} (${result.wordings.version}), seed ${result.seed}. Intervals are 95 %, by bootstrap over prompts, paired; those of the last column are Wilson's, over tests.`,
      };
    }),
    figures: parts.map(({ result, kinds, differences }) =>
      intervalChart({
        title: `Change of the reward by words, ${result.base} base`,
        unit: 'points',
        rows: kinds.flatMap((kind) =>
          changes.flatMap((change): IntervalRow[] => {
            const estimate = differences[change].get(kind);
            if (!estimate) return [];
            const { mean, interval } = estimate;
            const ends = interval && ([interval[0] * scale.factor, interval[1] * scale.factor] as const);
            return [{ label: `${kind} ${change}`, series: change, mean: mean * scale.factor, interval: ends }];
          }),
        ),
      }),
    ),
  };
}

/** By kind; a prompt is one unit, whose tests are averaged first. */
function estimatesOf({ list }: WordsResult) {
  const kinds = [...new Set(list.map(({ kind }) => kind))];
  const byKind = (rewardOf: (rewards: ReadWording['rewards']) => number): ReadonlyMap<string, MeanEstimate> => {
    const units = new Map<string, { stratum: string; values: number[] }>();
    for (const { kind, full, rewards } of list) {
      const key = JSON.stringify([kind, full]);
      const unit = units.get(key) ?? { stratum: kind, values: [] };
      units.set(key, unit);
      unit.values.push(rewardOf(rewards));
    }
    const pairs = [...units.values()].map(({ stratum, values }) => ({
      stratum,
      difference: values.reduce((sum, value) => sum + value, 0) / values.length,
    }));
    return pairedBootstrap(pairs, { seed: bootstrapSeed }).strata;
  };
  return {
    kinds,
    levels: {
      full: byKind(({ full }) => full),
      removed: byKind(({ removed }) => removed),
      replaced: byKind(({ replaced }) => replaced),
    },
    differences: {
      removed: byKind(({ full, removed }) => removed - full),
      replaced: byKind(({ full, replaced }) => replaced - full),
    },
  };
}

/** How often the whole prompt earns more than the false one. */
function shareText(tests: readonly ReadWording[]): string {
  const correct = tests.filter(({ rewards: { full, replaced } }) => full > replaced).length;
  const [low, high] = wilsonInterval({ correct, n: tests.length });
  const percent = (share: number) => (100 * share).toFixed(1);
  return `${percent(correct / tests.length)} [${percent(low)}, ${percent(high)}]`;
}

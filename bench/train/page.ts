/** The page of the training bench: tables from the event logs of its runs, nothing typed by hand. */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Comparison, compareEvaluations, compareExams, type Interval, type RunRecord, readRun } from '@gvu/evals';

export interface BenchRun {
  readonly kind: string;
  readonly title: string;
  readonly reward: string;
  readonly model: string;
  readonly seed: number;
  readonly folder: string;
}

interface Result {
  readonly run: BenchRun;
  readonly record: RunRecord;
  readonly comparison: Comparison;
}

export async function page(runs: readonly BenchRun[], { parallel }: { parallel: number }): Promise<string> {
  const results: Result[] = [];
  for (const run of runs) {
    if (!existsSync(run.folder)) continue;
    const record = await readRun(run.folder);
    const [first, last] = [record.evaluations[0], record.evaluations.at(-1)];
    const comparison = first && last && first !== last ? compareEvaluations(first, last) : null;
    if (comparison) results.push({ run, record, comparison });
  }
  const kinds = [...new Set(results.map(({ run }) => run.kind))];
  const started = results[0]?.record.started;
  return [
    '# What training changes on backend-shapes',
    '',
    `Made by \`npm run bench:train${parallel > 1 ? ` -- --parallel ${parallel}` : ''}\` (${started?.backend.name} ${started?.backend.version}, Node ${started?.versions.node}, onnxruntime ${started?.versions.onnxruntime}, ${cpus()[0]?.model.trim()}, ${cpus().length} cores${parallel > 1 ? `, ${parallel} runs at a time: times are those of shared cores` : ''}). Each run is \`gvu train --preset gvu\`; held-out prompts, the pixel detector as judge, the same prompts and randomness before and after; 95 % intervals by bootstrap over prompts, paired.`,
    '',
    '## Every run',
    '',
    table(
      [
        'reward',
        'base',
        'seed',
        'before',
        'after',
        'change [95 %]',
        'own reward',
        'reading, all questions',
        'steps',
        'minutes',
        'in ONNX Runtime',
      ],
      results.map((result) => runRow(result)),
    ),
    '',
    'Own reward: mean over the first and the last tenth of the steps. Reading: change of right answers (retrieval among eight, swapped words, questions), paired by question.',
    '',
    '## By category',
    '',
    'Mean of the seeds, in points of 100: before -> after.',
    '',
    categoryTable(results, kinds),
    '',
    '## Reward over training',
    '',
    'Mean of the reward in each tenth of the run, mean of the seeds.',
    '',
    curveTable(results, kinds),
    '',
  ].join('\n');
}

function runRow({ run, record, comparison }: Result): string[] {
  const { overall } = comparison;
  const all = compareExams(record.exams).find(({ kind }) => kind === 'all questions');
  const tenths = rewardByTenth(record);
  const engine = record.steps.reduce((sum, { metrics }) => sum + (metrics['time/engine'] ?? 0), 0);
  const seconds = record.steps.reduce((sum, step) => sum + step.seconds, 0);
  return [
    run.title,
    run.model,
    String(run.seed),
    percent(overall.before),
    percent(overall.after),
    `${signed(overall.difference.mean)}${interval(overall.difference.interval)}`,
    `${tenths.at(0)?.toFixed(3)} -> ${tenths.at(-1)?.toFixed(3)}`,
    all?.difference ? `${signed(all.difference.mean)}${interval(all.difference.interval)}` : '',
    String(record.steps.length),
    ((record.ended?.seconds ?? seconds) / 60).toFixed(1),
    `${((100 * engine) / seconds).toFixed(0)} %`,
  ];
}

function categoryTable(results: readonly Result[], kinds: readonly string[]): string {
  const tags = [...new Set(results.flatMap(({ comparison }) => comparison.rows.map(({ tag }) => tag)))];
  const titles = kinds.map((kind) => results.find(({ run }) => run.kind === kind)?.run.title ?? kind);
  const rows = [...tags, 'overall'].map((tag) => [
    tag,
    ...kinds.map((kind) => {
      const own = results.flatMap(({ run, comparison }) =>
        run.kind === kind ? [...comparison.rows, comparison.overall].filter((row) => row.tag === tag) : [],
      );
      return own.length === 0
        ? ''
        : `${percent(mean(own.map(({ before }) => before)))} -> ${percent(mean(own.map(({ after }) => after)))}`;
    }),
  ]);
  return table(['category', ...titles], rows);
}

function curveTable(results: readonly Result[], kinds: readonly string[]): string {
  const rows = kinds.map((kind) => {
    const own = results.filter(({ run }) => run.kind === kind);
    const curves = own.map(({ record }) => rewardByTenth(record));
    const tenths = Array.from({ length: 10 }, (_, i) => mean(curves.map((curve) => curve[i] ?? Number.NaN)).toFixed(3));
    return [own[0]?.run.title ?? kind, ...tenths];
  });
  return table(['reward', ...Array.from({ length: 10 }, (_, i) => `${i + 1}`)], rows);
}

function rewardByTenth({ steps }: RunRecord): number[] {
  return Array.from({ length: 10 }, (_, i) => {
    const part = steps.slice(Math.floor((i * steps.length) / 10), Math.floor(((i + 1) * steps.length) / 10));
    return mean(part.flatMap(({ metrics }) => metrics['reward/mean'] ?? []));
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)}`;
}

function interval(bounds: Interval | null): string {
  return bounds ? ` [${signed(bounds[0])}, ${signed(bounds[1])}]` : '';
}

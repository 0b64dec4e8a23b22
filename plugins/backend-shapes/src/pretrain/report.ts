/** The report of a pre-training as text: what a reader wants to see of it at the end. */

import type { Score } from './evaluation.ts';
import type { BaseReport, PretrainReport } from './pretrain.ts';

export function reportText(report: PretrainReport): string {
  const stages = [report.tokenizer, report.weak.training, report.regular.training];
  const minutes = stages.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return [
    `${report.parameters} parameters, ${minutes.toFixed(1)} min of training`,
    `reconstructions judged right: ${share(report.reconstruction)}`,
    ...baseLines('regular', report.regular),
    ...baseLines('weak', report.weak),
  ].join('\n');
}

function baseLines(name: string, { overall, categories, reading, bestOfEight }: BaseReport): string[] {
  const list = (scores: Readonly<Record<string, Score>>) =>
    Object.entries(scores)
      .map(([key, score]) => `${key} ${share(score)}`)
      .join(', ');
  const { first, best, any } = bestOfEight;
  return [
    `${name}: ${(100 * overall).toFixed(1)} % of held-out prompts drawn right (mean of the categories)`,
    `  ${list(categories)}`,
    `  right prompt among eight ${share(reading.retrieval)}; swapped words: ${list(reading.swaps)}`,
    `  questions: ${list(reading.questions)}`,
    `  probability of a word: right prompt ${reading.right.toFixed(3)}, swapped ${reading.swapped.toFixed(3)}`,
    `  of eight drawings: first ${share(first)}, chosen by the model ${share(best)}, any ${share(any)}`,
  ];
}

function share({ correct, n }: Score): string {
  return `${((100 * correct) / Math.max(n, 1)).toFixed(1)} % of ${n}`;
}

/**
 * DPG-Bench's table of questions: of each item the propositions that its prompt makes, and which of them depend on which.
 * Source: TencentQQGYLab/ELLA @ 3c228f1, dpg_bench/dpg_bench.csv and compute_dpg_bench.py.
 */
import type { Mode } from '../benchmark.ts';
import { fileError, readTable } from '../files.ts';

export interface Proposition {
  readonly id: number;
  /** Ids of propositions without which this one makes no sense. */
  readonly parents: readonly number[];
  /** `entity - whole`: level 1, level 2. */
  readonly category: string;
  readonly question: string;
}

export interface DpgItem {
  readonly id: string;
  readonly prompt: string;
  /** In the order of the rows. */
  readonly propositions: readonly Proposition[];
}

const columns = ['item_id', 'text', 'proposition_id', 'dependency', 'tuple', 'question_natural_language'];

/** All rows. Rejects with GVU_BENCHMARK_FILE. */
export async function readDpgItems(path: string): Promise<readonly DpgItem[]> {
  const items = new Map<string, { id: string; prompt: string; propositions: Proposition[] }>();
  let row = 0;
  for await (const fields of readTable(path, { separator: ',', columns })) {
    row++;
    const { item_id: id = '', text = '', proposition_id = '', dependency = '', tuple = '' } = fields;
    const parents = dependency.split(',').map((part) => Number(part.trim()));
    const number = Number(proposition_id);
    if (id === '' || !Number.isInteger(number) || parents.some((parent) => !Number.isInteger(parent)))
      throw fileError(path, `has no item_id, proposition_id or dependency that are numbers in row ${row}`);
    const item = items.get(id) ?? { id, prompt: text, propositions: [] };
    items.set(id, item);
    item.propositions.push({
      id: number,
      parents: parents.filter((parent) => parent !== 0),
      category: (tuple.split('(')[0] ?? '').trim(),
      question: fields.question_natural_language ?? '',
    });
  }
  if (items.size === 0) throw fileError(path, 'has no rows');
  return [...items.values()];
}

/** The items as a mode sees them. */
export function itemsFor(items: readonly DpgItem[], mode: Mode): readonly DpgItem[] {
  const [first, ...others] = items;
  // Defect first-row: the official loader passes over the first row of data, so that the first item lacks its first proposition.
  if (mode === 'fixed' || !first) return items;
  return [{ ...first, propositions: first.propositions.slice(1) }, ...others];
}

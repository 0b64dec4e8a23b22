/**
 * How answers in words are held to what is right: the parsers and matches of the understanding benchmarks. Pure functions; each names
 * its source, and what mode `fixed` does otherwise.
 */
import type { Mode } from '../benchmark.ts';

/**
 * POPE's parser: up to the first full stop, without commas, `no` if one of the words is No, not or no, otherwise yes.
 * Source: AoiDragon/POPE @ 08d957b, evaluate.py.
 *
 * Defect silent-yes: whatever is no "no" is a yes, also an empty answer, "NO", "No!" and "none". Fixed: words in any case, without
 * punctuation; null when neither yes nor no is said, or both are.
 */
export function parseYesNo(answer: string, mode: Mode): 'yes' | 'no' | null {
  if (mode === 'official') {
    const words = (answer.split('.')[0] ?? '').replaceAll(',', '').split(' ');
    return words.some((word) => word === 'No' || word === 'not' || word === 'no') ? 'no' : 'yes';
  }
  const words = new Set(answer.toLowerCase().match(/[a-z']+/g) ?? []);
  const no = ['no', 'not', "isn't", "aren't", 'none', 'nope'].some((word) => words.has(word));
  const yes = ['yes', 'yeah', 'yep'].some((word) => words.has(word));
  if (yes === no) return null;
  return yes ? 'yes' : 'no';
}

/** 1 - the smallest normalised edit distance to a reference, 0 below this. */
const leastAnls = 0.5;

/**
 * Average normalised Levenshtein similarity of one answer, 0 to 1: the best over all references.
 * Source: A. F. Biten et al., "Scene Text Visual Question Answering", ICCV 2019; VLMEvalKit @ e8e78f0.
 *
 * Defect raw-length: case and runs of spaces are normalised before the distance is taken, but it is divided by the length of the longer
 * string as it was before, so that blanks around an answer raise its score.
 */
export function anls(answer: string, references: readonly string[], mode: Mode): number {
  const similarities = references.map((reference) => {
    const [a, b] = [folded(answer), folded(reference)];
    const longest = mode === 'official' ? longer(answer, reference) : longer(a, b);
    return longest === 0 ? 1 : 1 - editDistance(a, b) / longest;
  });
  const best = Math.max(0, ...similarities);
  return best < leastAnls ? 0 : best;
}

function longer(a: string, b: string): number {
  return Math.max([...a].length, [...b].length);
}

function folded(text: string): string {
  return text.trim().toLowerCase().split(/\s+/).join(' ');
}

/** Levenshtein's, in code points. */
export function editDistance(a: string, b: string): number {
  const [from, to] = [[...a], [...b]];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (const [i, left] of from.entries()) {
    const next = [i + 1];
    for (const [j, right] of to.entries()) {
      const replaced = (row[j] ?? 0) + (left === right ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/**
 * OCRBench: whether a reference is in the answer, in any case; in formulas case counts and spaces do not.
 * Source: Y. Liu et al., "OCRBench", 2024; VLMEvalKit @ e8e78f0.
 *
 * Defect within-words: "12" is found in "312". Fixed: not within a longer word or number.
 */
export function contains(
  answer: string,
  references: readonly string[],
  { formula, mode }: { formula: boolean; mode: Mode },
): boolean {
  const plain = (text: string) => {
    const line = text.trim().replaceAll('\n', ' ');
    return formula ? line.replaceAll(' ', '') : line.toLowerCase();
  };
  const said = plain(answer);
  return references.some((reference) => {
    const wanted = plain(reference);
    if (mode === 'official' || formula) return said.includes(wanted);
    const isWord = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}]/u.test(char);
    for (let at = said.indexOf(wanted); at >= 0; at = said.indexOf(wanted, at + 1)) {
      const [before, after] = [said[at - 1], said[at + wanted.length]];
      if (!(isWord(before) && isWord(wanted[0])) && !(isWord(after) && isWord(wanted.at(-1)))) return true;
    }
    return false;
  });
}

/**
 * GQA: exact match. Officially after spaces around and case are taken away (VLMEvalKit @ e8e78f0). Defect full-stop: "yes." is no
 * "yes". Fixed: without punctuation and articles, and number words as digits, as the VQA benchmarks normalise answers (S. Antol et al.,
 * "VQA", ICCV 2015).
 */
export function matchesExactly(answer: string, reference: string, mode: Mode): boolean {
  const normal = mode === 'official' ? (text: string) => text.trim().toLowerCase() : normalAnswer;
  return normal(answer) === normal(reference);
}

const articles = new Set(['a', 'an', 'the']);
const numberWords = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

function normalAnswer(text: string): string {
  return text
    .toLowerCase()
    .replace(/(\d),(?=\d)/g, '$1')
    .replace(/[^\p{L}\p{N}\s'.]|\.(?!\d)/gu, ' ')
    .split(/\s+/)
    .filter((word) => word !== '' && !articles.has(word))
    .map((word) => (numberWords.includes(word) ? String(numberWords.indexOf(word)) : word))
    .join(' ');
}

/**
 * The option that an answer chooses: the one letter that stands alone in it, or else the one option whose text is in it; null when
 * there is none or are several. Source: VLMEvalKit @ e8e78f0, which may ask a language model further; here it may not (exact matching).
 * Some of its versions also look at where among the words the letter stands, which is not done here.
 *
 * Defect article-a: the word "A" at the beginning of a sentence is taken for an option. Fixed: not when a word in lower case follows.
 */
export function chosenOption(answer: string, options: Readonly<Record<string, string>>, mode: Mode): string | null {
  const sentence = mode === 'official' ? answer : answer.replace(/\bA(?=\s+\p{Ll})/gu, 'a');
  const words = sentence.replace(/[.()[\],:;!*#{}]/g, ' ').split(/\s+/);
  const letters = Object.keys(options);
  const named = letters.filter((letter) => words.includes(letter));
  if (named.length === 1) return named[0] ?? null;
  const said = answer.toLowerCase();
  const length = Object.values(options).reduce((sum, text) => sum + text.length, 0);
  if (said.length > 2 * length) return null;
  const quoted = letters.filter((letter) => said.includes((options[letter] ?? '').toLowerCase()));
  return quoted.length === 1 ? (quoted[0] ?? null) : null;
}

/** Pictures of held-out prompts: before and after training, and across its evaluations; each with what the judges said. */
import type { EvaluatedDrawing, EvaluationEvent } from '@gvu/rl';
import { drawingKey, pairDrawings, tagOf } from '../evaluations.ts';
import { brief } from '../numbers.ts';
import type { RunRecord } from '../run-record.ts';
import { type Html, html, shortened } from './html.ts';
import type { Pictures } from './pictures.ts';

const mostPairs = 48;
const mostStrips = 12;
const mostInStrip = 12;

/** Before and after, side by side; what was drawn when there is one evaluation only. */
export async function drawingsSection({ evaluations }: RunRecord, pictures: Pictures): Promise<Html> {
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  if (!first || !last) return html``;
  if (first === last) {
    const shown = taken(
      first.drawings.filter(({ image }) => image !== null),
      (drawing) => drawing,
      mostPairs,
    );
    const cards: Html[] = [];
    for (const drawing of shown) cards.push(await card([{ drawing, evaluation: first }], pictures));
    if (cards.length === 0) return html``;
    return html`<section><h2>Drawings at step ${first.step}</h2><div class="cards">${cards}</div></section>`;
  }
  const pairs = pairDrawings(first, last).filter(({ before, after }) => before.image !== null && after.image !== null);
  const cards: Html[] = [];
  for (const { before, after } of taken(pairs, ({ before }) => before, mostPairs)) {
    const sides = [
      { drawing: before, evaluation: first },
      { drawing: after, evaluation: last },
    ];
    cards.push(await card(sides, pictures));
  }
  if (cards.length === 0) return html``;
  return html`<section><h2>Before and after</h2>
<p>The same prompts with the same random numbers, at step ${first.step} and at step ${last.step}. They were chosen before anything was drawn.</p>
<div class="cards">${cards}</div></section>`;
}

/** The same prompts at each evaluation, when more than two kept pictures. */
export async function stripsSection(record: RunRecord, pictures: Pictures): Promise<Html> {
  const strips = await promptStrips(record, pictures, { most: mostStrips, fewest: 3 });
  if (strips.length === 0) return html``;
  return html`<section><h2>The same prompts across training</h2><div class="strips">${strips}</div></section>`;
}

/** One strip for each of `most` prompts; none when fewer than `fewest` evaluations kept pictures. */
export async function promptStrips(
  { evaluations }: Pick<RunRecord, 'evaluations'>,
  pictures: Pictures,
  { most, fewest }: { readonly most: number; readonly fewest: number },
): Promise<readonly Html[]> {
  const pictured = spaced(
    evaluations.filter(({ drawings }) => drawings.some(({ image }) => image !== null)),
    mostInStrip,
  );
  const first = pictured[0];
  if (!first || pictured.length < fewest) return [];
  const found = pictured.map(
    (evaluation) => new Map(evaluation.drawings.map((drawing) => [drawingKey(drawing), drawing])),
  );
  const strips: Html[] = [];
  const shown = first.drawings.filter(({ image }) => image !== null);
  for (const start of taken(shown, (drawing) => drawing, most)) {
    const sides = pictured.flatMap((evaluation, i) => {
      const drawing = found[i]?.get(drawingKey(start));
      return drawing ? [{ drawing, evaluation }] : [];
    });
    strips.push(await card(sides, pictures));
  }
  return strips;
}

interface Side {
  readonly drawing: EvaluatedDrawing;
  readonly evaluation: EvaluationEvent;
}

async function card(sides: readonly Side[], pictures: Pictures): Promise<Html> {
  const start = sides[0]?.drawing;
  if (!start) return html``;
  const figures: Html[] = [];
  for (const { drawing, evaluation } of sides) {
    const verdict = verdictOf(drawing, evaluation.score);
    const alt = `Drawing for "${shortened(drawing.prompt, 200)}" at step ${evaluation.step}; ${verdict.text}`;
    figures.push(html`<figure class="${verdict.style}">${await pictures.show(drawing.image, alt)}
<figcaption><b>step ${evaluation.step}</b><br>${verdict.text}${rewardLines(drawing.rewards, evaluation.score)}</figcaption></figure>`);
  }
  return html`<div class="card"><p class="prompt">${shortened(start.prompt, 300)}</p><p class="tag">${tagOf(start)}</p><div class="row">${figures}</div></div>`;
}

function verdictOf({ rewards }: EvaluatedDrawing, score: string): { readonly text: string; readonly style: string } {
  const value = rewards[score];
  if (typeof value !== 'number') return { text: `${score}: not judged`, style: '' };
  if (value === 1) return { text: `${score}: right ✓`, style: 'right' };
  if (value === 0) return { text: `${score}: wrong ✗`, style: 'wrong' };
  return { text: `${score}: ${brief(value)}`, style: '' };
}

function rewardLines(rewards: EvaluatedDrawing['rewards'], score: string): Html[] {
  return Object.entries(rewards)
    .filter(([name]) => name !== score)
    .map(([name, value]) => html`<br>${name}: ${brief(value)}`);
}

/** At most `most` items, as many of each category as possible: the first of each, then the second of each, and so on. */
function taken<T>(items: readonly T[], drawingOf: (item: T) => EvaluatedDrawing, most: number): T[] {
  const seen = new Map<string, number>();
  const ranked = items.map((item) => {
    const tag = tagOf(drawingOf(item));
    const rank = seen.get(tag) ?? 0;
    seen.set(tag, rank + 1);
    return { item, rank };
  });
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map(({ item }) => item);
}

/** At most `most` items, evenly, with the first and the last. */
function spaced<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]).filter(
    (item) => item !== undefined,
  );
}

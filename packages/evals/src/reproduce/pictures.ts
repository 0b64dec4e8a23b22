/** Figure 5: the same prompts with the same randomness at every evaluation of a run. */
import { join } from 'node:path';
import { promptStrips } from '../report/drawings.ts';
import { type Html, html } from '../report/html.ts';
import { Pictures } from '../report/pictures.ts';
import { nameOf, type Reproduction } from './reproduction.ts';
import { mainArms } from './scores.ts';
import type { Section } from './section.ts';

/** Characters of the data URIs of each run: the page stays below 5 MB. */
const budget = 1_200_000;
const mostStrips = 12;

/** Of the first run of the method from each base, and of the control. */
export async function pictureSection(folder: string, reproduction: Reproduction): Promise<Section> {
  const figures: Html[] = [];
  for (const arm of mainArms(reproduction)) {
    const [run] = arm.runs;
    if (!run || arm.role === 'baseline') continue;
    const { width, height } = run.record.started.image;
    const pictures = new Pictures(join(folder, run.folder), { budget, width, height });
    const strips = await promptStrips(run.record, pictures, { most: mostStrips, fewest: 2 });
    if (strips.length > 0)
      figures.push(html`<h3>${nameOf(arm)}: ${run.folder}</h3><div class="strips">${strips}</div>`);
  }
  return {
    title: 'The same prompts over training',
    mirrors: 'Figure 5 of the paper: two chosen prompts, drawn at seven steps.',
    adds: 'The first held-out prompt of every category, chosen before anything was drawn, with what the judge said of each picture; and the control.',
    seen: figures.length === 0 ? ['No run kept pictures.'] : [],
    tables: [],
    figures,
  };
}

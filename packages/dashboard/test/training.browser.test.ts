/** The page beside a real training run, of the smallest real model: everything that a user does with it, in one browser. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, type OpenPage, openPage, whyNoBrowser } from './browser.ts';
import { type GvuProcess, startGvu } from './gvu-process.ts';

/** The dashboard is below the plugins and must not import one; its tests need a real model. */
async function writeTinyModel(folder: string): Promise<void> {
  const load = async (path: string) =>
    await import(pathToFileURL(join(import.meta.dirname, '../../../plugins/backend-shapes', path)).href);
  const { tinyConfig, tinyValues } = await load('test/tiny-model.ts');
  const { writeModel } = await load('src/model/weights.ts');
  await writeModel(folder, tinyConfig, tinyValues());
}

const settings = {
  steps: 100_000,
  promptsPerStep: 2,
  groupSize: 4,
  'record.groups': 2,
  // Without it no KL is computed, and there is no curve of it.
  'algorithm.options.beta': 0.01,
  'guards.maxKl': 1e6,
  'evaluation.every': 1000,
  'evaluation.perTag': 1,
  'evaluation.tests': 0,
  'checkpoint.every': 0,
};

const stepOf = async (page: Page): Promise<number> =>
  Number((await page.locator('.progress progress').getAttribute('aria-label'))?.match(/Step (\d+)/)?.[1] ?? 0);
const chart = (page: Page, title: string) => page.getByRole('slider', { name: `${title}, by step` });

const title = `the page beside a training run ${whyNoBrowser ?? ''}`;

// Patient: the training that it looks at takes the whole machine.
describe.skipIf(whyNoBrowser !== undefined)(title, { timeout: 300_000 }, () => {
  let folder: string;
  let gvu: GvuProcess;
  let browser: Browser;
  let open: OpenPage;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gvu-dashboard-'));
    await writeTinyModel(join(folder, 'model'));
    const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const model = ['--model', join(folder, 'model'), '--threads', '1'];
    [gvu, browser] = await Promise.all([
      startGvu(['train', '--serve', '--port', '0', '--name', 'live', ...model, ...set], folder),
      launch(),
    ]);
    open = await openPage(browser, gvu.urls.Control ?? '');
    // The first steps compile programs.
    await open.page.locator('.progress').waitFor({ timeout: 90_000 });
  }, 150_000);
  afterAll(async () => {
    await open?.[Symbol.asyncDispose]();
    await browser?.close();
    await gvu?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test('the token leaves the address; the curves grow', { timeout: 120_000 }, async () => {
    const { page } = open;
    expect(page.url()).toMatch(/#\/curves\?run=live$/);
    const points = async () => Number(await chart(page, 'Reward').getAttribute('data-points'));
    const before = await points();
    // A busy machine takes its time for four steps.
    await expect.poll(points, { timeout: 100_000 }).toBeGreaterThan(before + 3);
    for (const title of ['KL', 'Entropy', 'Clip fraction', 'Decisions/s']) await chart(page, title).waitFor();
    expect(await page.locator('canvas').count()).toBeGreaterThanOrEqual(5);
    expect(await page.locator('.stats').innerText()).toMatch(/Reward\s+0\.\d+/);
  });

  test('a reload goes on with every step there is, none missing', async () => {
    const { page } = open;
    const before = await stepOf(page);
    await page.reload();
    await expect.poll(() => stepOf(page), { timeout: 30_000 }).toBeGreaterThan(before);
    // As many points as the newest step: they count from 1.
    const plot = chart(page, 'Reward');
    await expect
      .poll(
        async () => Number(await plot.getAttribute('data-points')) - Number(await plot.getAttribute('aria-valuemax')),
      )
      .toBe(0);
  });

  test('drawings arrive with reward, advantage and shaded tokens', async () => {
    const { page } = open;
    await page.getByRole('link', { name: 'Drawings' }).click();
    const shown = async () =>
      await page
        .locator('.tile img')
        .evaluateAll((all: HTMLImageElement[]) => all.map(({ naturalWidth, dataset }) => [naturalWidth, dataset.name]));
    await expect
      .poll(async () => (await shown()).filter(([width]) => Number(width) > 0).length, { timeout: 30_000 })
      .toBe(8);
    const first = await page.locator('.bar b').innerText();
    await expect.poll(() => page.locator('.bar b').innerText(), { timeout: 30_000 }).not.toBe(first);
    // Standing still at a step, to be looked at.
    await page.getByRole('checkbox', { name: 'Newest' }).uncheck();
    await expect.poll(() => page.url()).toContain('step=');
    const tile = page.locator('.tile').first();
    expect(await tile.getAttribute('aria-label')).toMatch(/^Drawing 1 of “.+”: reward \S+, advantage [+−±]\d/);
    await tile.click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('.tokens li').first().waitFor();
    const tokens = await dialog.locator('.tokens li').evaluateAll((all: HTMLElement[]) =>
      all.map((token) => ({
        text: token.querySelector('span')?.textContent ?? '',
        percent: token.querySelector('small')?.textContent ?? '',
        logProb: Number(/\S+$/.exec(token.title.replace('−', '-'))?.[0]),
        shade: Number(token.style.getPropertyValue('--shade')),
        colour: getComputedStyle(token).backgroundColor,
      })),
    );
    // Commas are tokens of their own.
    const prompt = await dialog.getByRole('heading', { level: 2 }).innerText();
    expect(tokens.map(({ text }) => text).join('')).toBe(prompt.replaceAll(' ', ''));
    expect(tokens.every(({ percent }) => /^<?[\d.]+%$/.test(percent))).toBe(true);
    // A model that knows nothing may be surprised by all tokens alike: from 5 nats on the shade is the strongest.
    for (const { logProb, shade } of tokens) expect(shade).toBeCloseTo(Math.min(1, -logProb / 5), 3);
    const [weak, ...others] = [...tokens].sort((a, b) => a.shade - b.shade);
    for (const { shade, colour } of others) if (weak && shade > weak.shade + 0.2) expect(colour).not.toBe(weak.colour);
    await dialog.getByRole('link', { name: 'This prompt across steps' }).click();
    await expect.poll(() => page.url()).toContain('prompt=');
    await page
      .getByRole('link', { name: /^Step \d+$/ })
      .first()
      .waitFor();
  });

  test('the keyboard alone reads a chart, opens a drawing and turns pages', async () => {
    const { page } = open;
    await page.keyboard.press('Escape');
    await page.goto(`${new URL(page.url()).origin}/#/curves?run=live`);
    await page.reload();
    const plot = chart(page, 'Reward');
    await plot.waitFor({ timeout: 30_000 });
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content');
    const seen: string[] = [];
    for (let i = 0; i < 30 && !(await plot.evaluate((element) => element === document.activeElement)); i++) {
      await page.keyboard.press('Tab');
      seen.push(
        await page.evaluate(
          () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
        ),
      );
    }
    // In the order in which they are seen, from the top to the chart.
    expect(
      seen.filter((name) => ['Run', 'Curves', 'Try it', 'Pause', 'Stop…', 'Reward, by step'].includes(name)),
    ).toEqual(['Run', 'Curves', 'Try it', 'Pause', 'Stop…', 'Reward, by step']);
    await page.keyboard.press('Home');
    for (const step of [1, 2, 3, 4]) {
      await expect.poll(() => plot.getAttribute('aria-valuetext')).toMatch(new RegExp(`^step ${step}: gvu [\\d.e-]+$`));
      await page.keyboard.press('ArrowRight');
    }
    await page.keyboard.press('+');
    await page.getByRole('button', { name: 'Show all steps' }).waitFor();
    await plot.focus();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Show all steps' }).waitFor({ state: 'detached' });

    await page.getByRole('link', { name: 'Drawings' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('checkbox', { name: 'Newest' }).press('Space');
    await page.locator('.tile').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    const label = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
    expect(label).toContain('Drawing 2 of');
    await page.keyboard.press('Enter');
    const place = page.getByRole('dialog').locator('dd').last();
    expect(await place.innerText()).toContain('drawing 1,');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => place.innerText()).toContain('drawing 2,');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(label);
  });

  test('the model draws a prompt while it is trained, and reads what it drew', async () => {
    const { page } = open;
    await page.getByRole('link', { name: 'Try it' }).click();
    await page.getByRole('textbox', { name: 'Prompt' }).fill('a photo of a red circle');
    await page.getByRole('spinbutton', { name: 'Drawings' }).fill('2');
    await page.getByRole('button', { name: 'Draw' }).click();
    const pictures = page.getByRole('img', { name: 'Drawing of “a photo of a red circle”' });
    await expect.poll(() => pictures.count(), { timeout: 60_000 }).toBe(2);
    await page.getByRole('button', { name: 'Read it' }).first().click();
    await page.locator('.tokens li').nth(5).waitFor({ timeout: 60_000 });
    expect(await page.locator('.tokens li span').allInnerTexts()).toEqual(['a', 'photo', 'of', 'a', 'red', 'circle']);
  });

  test('without the token one may watch, not steer', async () => {
    await using other = await openPage(browser, gvu.urls.Watch ?? '');
    const { page, faults } = other;
    await page.getByRole('button', { name: 'Control…' }).waitFor({ timeout: 30_000 });
    expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test('pause, checkpoint, resume and stop', async () => {
    const { page } = open;
    await page.getByRole('link', { name: 'Curves' }).click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('.pill.held').waitFor();
    await page.waitForTimeout(1500);
    const held = await stepOf(page);
    await page.waitForTimeout(1500);
    expect(await stepOf(page)).toBe(held);
    // Whoever comes later sees it too, and may go on from there.
    await page.reload();
    await page.locator('.pill.held').waitFor();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    await page.getByRole('button', { name: 'Checkpoint' }).click();
    await page.getByText(`Saved at step ${held}.`).waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect.poll(() => stepOf(page), { timeout: 30_000 }).toBeGreaterThan(held);
    await page.getByRole('button', { name: 'Stop…' }).click();
    await page.getByRole('button', { name: 'Stop the run' }).click();
    await page.locator('.pill', { hasText: 'stopped' }).waitFor({ timeout: 30_000 });
    expect(await gvu.ended).toBe(130);
    await page.getByText('The server is gone').waitFor();
    expect(open.faults).toEqual([]);
  });
});

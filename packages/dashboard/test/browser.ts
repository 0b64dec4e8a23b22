/** A real Chromium for tests, as Debian's package `chromium` installs it; `CHROMIUM` names another one. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const found = [process.env.CHROMIUM, ...places].find((path) => path !== undefined && existsSync(path));

/** Why tests in the browser are skipped; undefined when there is one. */
export const whyNoBrowser =
  found === undefined ? 'SKIPPED: there is no Chromium; apt-get install chromium, or set CHROMIUM' : undefined;
if (whyNoBrowser !== undefined) process.stderr.write(`Tests in the browser are ${whyNoBrowser}.\n`);

export async function launch(): Promise<Browser> {
  return await chromium.launch({ executablePath: found ?? '', args: ['--no-sandbox', '--disable-gpu'] });
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** What must not happen: errors of the page, and requests to any other host. */
  readonly faults: readonly string[];
}

/** A page of its own, as of another user. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  // Patient: a training run beside it may take the whole machine.
  page.setDefaultTimeout(120_000);
  const faults: string[] = [];
  const { host } = new URL(url);
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // A server that is gone is an error to the browser, and expected.
    if (message.type() === 'error' && !message.text().includes('WebSocket connection')) faults.push(message.text());
  });
  page.on('request', (request) => {
    const { protocol, host: to } = new URL(request.url());
    if (protocol !== 'blob:' && protocol !== 'data:' && to !== host) faults.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}

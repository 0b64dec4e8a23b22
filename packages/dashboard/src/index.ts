/**
 * The page of a server, ready to be handed to `createServer`: three files, held in memory. Installed from npm they were built before; from
 * source they are built at the first start, in a fraction of a second. The page talks to nobody but its own server.
 */
import { readFile } from 'node:fs/promises';
import type { Page, Pages } from '@gvu/server';

/** Nothing from elsewhere, and no script or style in the page itself. Pictures come by requests that carry the token, as blobs. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/** The files of the page by name. */
export type PageFiles = Readonly<Record<string, string>>;

/** The page, at `/`. */
export async function dashboardPages(): Promise<Pages> {
  const files = await pageFiles();
  const headers = { 'content-security-policy': policy, 'cache-control': 'no-cache' };
  const pages = new Map(
    Object.entries(files).map(([name, body]): [string, Page] => [
      name === 'index.html' ? '/' : `/${name}`,
      { contentType: types[name] ?? 'application/octet-stream', body, headers },
    ]),
  );
  return ({ path }) => pages.get(path);
}

/** As they are served. */
export async function pageFiles(): Promise<PageFiles> {
  if (import.meta.url.endsWith('.ts')) {
    // Only a checkout has the sources and the bundler.
    const { bundlePage } = await import('./bundle.ts');
    return await bundlePage();
  }
  const names = Object.keys(types);
  const bodies = await Promise.all(names.map((name) => readFile(new URL(`./page/${name}`, import.meta.url), 'utf8')));
  return Object.fromEntries(names.map((name, i) => [name, bodies[i] ?? '']));
}

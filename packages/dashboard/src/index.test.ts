/** What is served: small, whole, and with nothing from elsewhere. */
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { dashboardPages, type PageFiles, pageFiles } from './index.ts';

let files: PageFiles;
beforeAll(async () => {
  files = await pageFiles();
});

test('all files together are below 60 kB gzipped', () => {
  const bytes = Object.values(files).reduce((sum, text) => sum + gzipSync(text).length, 0);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(60_000);
});

test('every file is there, with its type and a policy that forbids all other hosts and all inline code', async () => {
  const pages = await dashboardPages();
  for (const path of ['/', '/page.js', '/page.css', '/icon.svg']) {
    const page = await pages({ path });
    expect(page?.body.length).toBeGreaterThan(100);
    expect(page?.contentType).toMatch(path === '/' ? /html/ : /javascript|css|svg/);
    const policy = page?.headers?.['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  }
  for (const path of ['/index.html', '/page.js/', '/../package.json', '/blobs', '']) {
    expect(await pages({ path })).toBeUndefined();
  }
});

test('nothing in it names another host, except as the name of a standard', () => {
  const urls = Object.values(files).flatMap((text) => text.match(/https?:\/\/[\w.-]+/g) ?? []);
  expect([...new Set(urls)].filter((url) => url !== 'http://www.w3.org')).toEqual([]);
  expect(files['index.html']).not.toMatch(/<script(?! type="module" src="\/page\.js")|<style| style=| on\w+=/);
});

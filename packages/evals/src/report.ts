/**
 * Writes the report of a run: `report/index.html`, one page that needs no network and no script, and `report/index.md` with the same
 * numbers. It may be written at any moment of a run, and again; a reader never sees half of it.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { evalsErrors } from './errors.ts';
import { reportMarkdown } from './report/markdown.ts';
import { reportPage } from './report/page.ts';
import { readRun } from './run-record.ts';

/**
 * Writes the report of the run in a folder and returns the path of the page.
 * @throws GVU_REPORT_RUN, GVU_LOG_CORRUPT, GVU_REPORT_WRITE
 */
export async function writeReport(folder: string): Promise<string> {
  const record = await readRun(folder);
  const directory = join(folder, 'report');
  const page = join(directory, 'index.html');
  const [html, markdown] = [await reportPage(record, folder), reportMarkdown(record)];
  try {
    await mkdir(directory, { recursive: true });
    await replaceFile(join(directory, 'index.md'), markdown);
    await replaceFile(page, html);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw evalsErrors.error('GVU_REPORT_WRITE', `The report was not written: ${reason}.`, {
      hint: 'Free the cause (disk full, no permission) and write it again; the run is not touched by it.',
      cause,
    });
  }
  return page;
}

/** The old content, or all of the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

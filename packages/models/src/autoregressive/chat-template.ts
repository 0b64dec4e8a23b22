/**
 * Chat templates are programs that come with a checkpoint, which is data from elsewhere. Jinja cannot reach anything outside, but a
 * template can go on for ever or fill the memory; so each is rendered in a process of its own, with little of both.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { isRecord } from '@gvu/core';

const limits = { seconds: 20, memoryMegabytes: 256, characters: 2 ** 20 } as const;

const library = pathToFileURL(createRequire(import.meta.url).resolve('@huggingface/jinja')).href;

/** Reads template and context as JSON, and writes what became of them as JSON. */
const worker = `
import { readFileSync } from 'node:fs';
const { Template } = (await import(process.argv[1])).default;
const { template, context } = JSON.parse(readFileSync(0, 'utf8'));
let answer;
try {
  answer = { text: new Template(template).render(context) };
} catch (error) {
  answer = { error: error instanceof Error ? error.message : String(error) };
}
process.stdout.write(JSON.stringify(answer));
`;

/** Throws an Error that says why, when the template fails or takes too much. */
export function renderTemplate(template: string, context: Readonly<Record<string, unknown>>): string {
  const flags = [`--max-old-space-size=${limits.memoryMegabytes}`, '--input-type=module', '-e', worker, library];
  const { stdout, error } = spawnSync(process.execPath, flags, {
    input: JSON.stringify({ template, context }),
    encoding: 'utf8',
    env: {},
    timeout: 1000 * limits.seconds,
    killSignal: 'SIGKILL',
    maxBuffer: 2 * limits.characters,
  });
  const answer = parsed(stdout);
  if (typeof answer.text === 'string') return answer.text;
  if (typeof answer.error === 'string') throw new Error(answer.error);
  throw new Error(
    `it did not end within ${limits.seconds} s, ${limits.memoryMegabytes} MB and ${limits.characters} characters`,
    { cause: error },
  );
}

function parsed(text: string | null): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isRecord(value) ? value : {};
  } catch {
    return {}; // it was stopped in the middle
  }
}

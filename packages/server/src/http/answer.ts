/** Plain HTTP beside the WebSocket: pictures by name, and the pages that the caller has. Only GET and HEAD, never a directory listing. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isGvuError } from '@gvu/core';
import type { Origins } from '../access/origins.ts';
import type { Tokens } from '../access/tokens.ts';
import { mediaOf } from '../protocol/frame.ts';
import { RunPictures } from '../runs/pictures.ts';
import type { RunDirectory } from '../runs/run-directory.ts';

export interface PageRequest {
  /** Of the URL, without query; begins with a slash. */
  readonly path: string;
}

export interface Page {
  readonly contentType: string;
  readonly body: string | Uint8Array;
  /** More headers, such as a content security policy. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Gives the page at a path, or nothing when there is none. */
export type Pages = (request: PageRequest) => Page | undefined | Promise<Page | undefined>;

export interface HttpOptions {
  readonly runs: RunDirectory;
  readonly tokens: Tokens;
  readonly origins: Origins;
  readonly pages: Pages | undefined;
  /** Is told why a request was turned away: a foreign page, or a token that is not known. */
  readonly onRefused: (reason: string) => void;
}

interface Answer {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers a request that is no WebSocket. */
export async function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpOptions,
): Promise<void> {
  const { status, body, headers } = await answerOf(request, options);
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'content-length': bytes.length,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

async function answerOf(request: IncomingMessage, options: HttpOptions): Promise<Answer> {
  const { origins, pages } = options;
  const foreign = origins.refusal(request);
  if (foreign !== undefined) {
    options.onRefused(foreign);
    return plain(403, 'Not allowed from here.');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return plain(405, 'Only GET and HEAD.', { allow: 'GET, HEAD' });
  const [path = '/'] = (request.url ?? '/').split('?');
  const blob = /^\/blobs\/([^/]+)\/([^/]+)$/.exec(path);
  if (blob) return await picture(request, { run: blob[1] ?? '', name: blob[2] ?? '' }, options);
  const page = await pages?.({ path });
  if (page === undefined) return plain(404, 'There is nothing here.');
  return { status: 200, body: page.body, headers: { 'content-type': page.contentType, ...page.headers } };
}

async function picture(
  request: IncomingMessage,
  { run, name }: { readonly run: string; readonly name: string },
  { runs, tokens, onRefused }: HttpOptions,
): Promise<Answer> {
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!tokens.scopesOf(token)?.has('read')) {
    onRefused(token === undefined ? 'a token is needed' : 'the token is not known, or not for reading');
    return plain(401, 'A token is needed.', { 'www-authenticate': 'Bearer' });
  }
  try {
    const bytes = await new RunPictures(runs.directoryOf(run)).load(name, 'full');
    const headers = {
      'content-type': mediaOf(name),
      'cache-control': 'private, max-age=31536000, immutable',
      'content-security-policy': "default-src 'none'; sandbox",
    };
    return { status: 200, body: bytes, headers };
  } catch (error) {
    // The names were of the wrong form, or there is no such file: a stranger need not know which.
    if (isGvuError(error)) return plain(404, 'There is no such picture.');
    throw error;
  }
}

function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, body: `${text}\n`, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } };
}

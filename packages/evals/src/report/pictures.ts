/** The pictures of a run as data URIs, within a budget: a report is one file that can be sent. */
import { readBlob } from '@gvu/core';
import { Html, html } from './html.ts';

/** Types by the bytes that such files begin with: what is none of these is not shown. */
const signatures: readonly (readonly [type: string, hex: RegExp])[] = [
  ['image/png', /^89504e470d0a1a0a/],
  ['image/jpeg', /^ffd8ff/],
  ['image/webp', /^52494646.{8}57454250/],
];

export class Pictures {
  readonly #folder: string;
  readonly #size: string;
  #left: number;
  #leftOut = 0;

  /** `budget`: characters of all data URIs. `width` and `height`: in pixels, of each. */
  constructor(folder: string, options: { readonly budget: number; readonly width: number; readonly height: number }) {
    this.#folder = folder;
    this.#left = options.budget;
    // Small pictures are enlarged by a whole factor, so that all their pixels have one size.
    const factor = Math.max(1, Math.floor(128 / Math.max(1, options.width)));
    const [width, height] = [options.width * factor, options.height * factor];
    this.#size = factor > 1 ? `width="${width}" height="${height}" class="pixels"` : 'width="160" class="photo"';
  }

  /** Pictures that could not be read, or had no room. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** The picture of a blob, or a box that says there is none. */
  async show(blob: string | null, alt: string): Promise<Html> {
    const uri = blob === null ? null : await this.#dataUri(blob);
    if (uri === null) return html`<span class="no-picture">no picture</span>`;
    return html`<img src="${new Html(uri)}" alt="${alt}" ${new Html(this.#size)}>`;
  }

  async #dataUri(blob: string): Promise<string | null> {
    // A picture that is gone must not cost the report.
    const bytes = await readBlob(this.#folder, blob).catch(() => null);
    const head = bytes?.subarray(0, 12).toString('hex') ?? '';
    const type = signatures.find(([, pattern]) => pattern.test(head))?.[0];
    const uri = bytes && type ? `data:${type};base64,${bytes.toString('base64')}` : null;
    if (uri === null || uri.length > this.#left) {
      this.#leftOut++;
      return null;
    }
    this.#left -= uri.length;
    return uri;
  }
}

/** Pictures of runs by name: small ones that the server sent by itself, all others by HTTP, with the token, once. */
import type { Client, ImageFrame } from '@gvu/server/client';

/** Beyond this those used first are let go; more than any view shows at a time. */
const mostKept = 3_000;

export class Pictures {
  readonly #token: string | undefined;
  /** Addresses of blobs; those used last come last. */
  readonly #urls = new Map<string, Promise<string>>();
  readonly #followed = new Set<string>();

  constructor(token: string | undefined) {
    this.#token = token;
  }

  /** Where the picture is, for an `<img>`. A small one may be given unless `whole`. */
  async url({
    run,
    name,
    whole,
  }: {
    readonly run: string;
    readonly name: string;
    readonly whole: boolean;
  }): Promise<string> {
    const hash = name.slice(0, 64);
    const sent = whole ? undefined : this.#urls.get(hash);
    const url = sent ?? this.#urls.get(name) ?? this.#fetch(run, name);
    if (!sent) this.#keep(name, url);
    return await url;
  }

  /** From now on the server sends the run's new pictures as they are drawn. */
  follow(client: Client, run: string): void {
    if (this.#followed.has(run)) return;
    this.#followed.add(run);
    void this.#take(client, run).catch(() => this.#followed.delete(run));
  }

  async #take(client: Client, run: string): Promise<void> {
    const wish = { run, channel: 'images', from: 'latest', images: 'thumbnail' } as const;
    for await (const item of client.subscribe(wish)) {
      if (item.kind === 'image') this.#keep(item.frame.sha256, Promise.resolve(urlOf(item.frame)));
    }
  }

  async #fetch(run: string, name: string): Promise<string> {
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const response = await fetch(`/blobs/${encodeURIComponent(run)}/${name}`, { headers });
    if (!response.ok) throw new Error(`The picture cannot be had: ${response.status}.`);
    return URL.createObjectURL(await response.blob());
  }

  #keep(key: string, url: Promise<string>): void {
    this.#urls.delete(key);
    this.#urls.set(key, url);
    url.catch(() => this.#urls.delete(key)); // to be asked for again
    for (const [oldest, old] of this.#urls) {
      if (this.#urls.size <= mostKept) return;
      this.#urls.delete(oldest);
      void old.then(URL.revokeObjectURL, () => {});
    }
  }
}

/** The picture of a frame, for an `<img>`. */
export function urlOf({ bytes, media }: Pick<ImageFrame, 'bytes' | 'media'>): string {
  return URL.createObjectURL(new Blob([bytes.slice()], { type: media }));
}

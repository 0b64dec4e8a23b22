/** Pictures of a run, whole or small, read from its blobs; those in use are shared by all clients for a while. */
import { isGvuError, readBlob } from '@gvu/core';
import { serverErrors } from '../errors.ts';
import type { PictureSource } from './feed.ts';
import { thumbnailOf } from './png.ts';

const cacheBytes = 16 << 20;

export class RunPictures implements PictureSource {
  readonly #directory: string;
  /** Those used last come last. */
  readonly #cache = new Map<string, Uint8Array>();
  readonly #loading = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The bytes of a picture. A thumbnail is a PNG of at most 128 pixels a side; of what is no PNG it is the whole picture.
   * @throws GVU_SERVER_IMAGE
   */
  async load(name: string, size: 'full' | 'thumbnail'): Promise<Uint8Array> {
    const key = `${size} ${name}`;
    const cached = this.#cache.get(key);
    if (cached) {
      this.#cache.delete(key);
      this.#cache.set(key, cached);
      return cached;
    }
    const loading = this.#loading.get(key) ?? this.#read(name, size).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return await loading;
  }

  async #read(name: string, size: 'full' | 'thumbnail'): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await readBlob(this.#directory, name);
    } catch (cause) {
      if (!isGvuError(cause)) throw cause;
      throw serverErrors.error('GVU_SERVER_IMAGE', `The picture ${JSON.stringify(name.slice(0, 80))} cannot be read.`, {
        cause,
      });
    }
    const wanted = size === 'thumbnail' && name.endsWith('.png') ? thumbnailOf(bytes) : bytes;
    this.#keep(`${size} ${name}`, wanted);
    return wanted;
  }

  #keep(key: string, bytes: Uint8Array): void {
    this.#cache.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#cache) {
      if (this.#bytes <= cacheBytes) return;
      this.#cache.delete(oldest);
      this.#bytes -= length;
    }
  }
}

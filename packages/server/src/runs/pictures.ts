/** Pictures of a run, whole or small, read from its blobs; those in use are shared by all clients for a while. */
import { isGvuError, readBlob, readBlobSync } from '@gvu/core';
import { serverErrors } from '../errors.ts';
import type { PictureSource } from './feed.ts';
import { thumbnailOf } from './png.ts';

type Size = 'full' | 'thumbnail';

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
  async load(name: string, size: Size): Promise<Uint8Array> {
    const key = `${size} ${name}`;
    const cached = this.#cached(key);
    if (cached) return cached;
    const loading =
      this.#loading.get(key) ??
      readBlob(this.#directory, name)
        .then(
          (bytes) => this.#keep(key, sized(bytes, name, size)),
          (cause) => Promise.reject(unreadable(name, cause)),
        )
        .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return await loading;
  }

  /** The same at once: waits for the disk, unless the picture was written a moment ago. */
  loadNow(name: string, size: Size): Uint8Array {
    const key = `${size} ${name}`;
    const cached = this.#cached(key);
    if (cached) return cached;
    let bytes: Uint8Array;
    try {
      bytes = readBlobSync(this.#directory, name);
    } catch (cause) {
      throw unreadable(name, cause);
    }
    return this.#keep(key, sized(bytes, name, size));
  }

  #cached(key: string): Uint8Array | undefined {
    const cached = this.#cache.get(key);
    if (cached) {
      this.#cache.delete(key);
      this.#cache.set(key, cached);
    }
    return cached;
  }

  #keep(key: string, bytes: Uint8Array): Uint8Array {
    this.#bytes += bytes.length - (this.#cache.get(key)?.length ?? 0);
    this.#cache.set(key, bytes);
    for (const [oldest, { length }] of this.#cache) {
      if (this.#bytes <= cacheBytes) break;
      this.#cache.delete(oldest);
      this.#bytes -= length;
    }
    return bytes;
  }
}

function sized(bytes: Uint8Array, name: string, size: Size): Uint8Array {
  return size === 'thumbnail' && name.endsWith('.png') ? thumbnailOf(bytes) : bytes;
}

function unreadable(name: string, cause: unknown): unknown {
  if (!isGvuError(cause)) return cause;
  return serverErrors.error('GVU_SERVER_IMAGE', `The picture ${JSON.stringify(name.slice(0, 80))} cannot be read.`, {
    cause,
  });
}

/** The tiny checkpoint with its image tokenizer beside it, as a release has them, in a directory of its own. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixture } from './fixtures.ts';

export interface Checkpoint extends AsyncDisposable {
  readonly path: string;
  /** Writes a file's JSON anew. */
  edit(name: string, change: (json: Record<string, unknown>) => unknown): Promise<void>;
}

interface Encoder {
  readonly heads: number;
  readonly patch: number;
}

/** With `encoder`, pictures of two patches and more can be looked at. */
export async function tinyCheckpoint({ encoder }: { encoder: boolean }): Promise<Checkpoint> {
  const path = await mkdtemp(join(tmpdir(), 'gvu-x-omni-'));
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
    await cp(join(fixture('x-omni-tiny'), name), join(path, name), { mode: 0 });
  const checkpoint: Checkpoint = {
    path,
    async edit(name, change) {
      const json: Record<string, unknown> = JSON.parse(await readFile(join(path, name), 'utf8'));
      await rm(join(path, name));
      await writeFile(join(path, name), JSON.stringify(change(json)));
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
  if (!encoder) return checkpoint;
  for (const name of ['vit.pt', 'projector.pt'])
    await cp(join(fixture('siglip-vq-tiny-pickle'), name), join(path, name));
  const { heads, patch } = await encoderFacts();
  const vision = {
    encoder: { siglip_name: 'a small one', siglip_path: 'vit.pt', projector_path: 'projector.pt', num_heads: heads },
    transform: {
      short_size: 2 * patch,
      long_size: 8 * patch,
      patch_size: patch,
      min_short_size: patch,
      max_aspect_ratio: 3,
    },
  };
  await checkpoint.edit('config.json', (json) => ({ ...json, vision_config: vision }));
  return checkpoint;
}

/** What the image tokenizer's files do not say. */
export async function encoderFacts(): Promise<Encoder> {
  const text = await readFile(join(fixture('siglip-vq-tiny'), 'config.json'), 'utf8');
  const { vision_config }: { vision_config: { num_heads: number; patch_size: number } } = JSON.parse(text);
  return { heads: vision_config.num_heads, patch: vision_config.patch_size };
}

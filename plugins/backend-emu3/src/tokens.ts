/**
 * Emu3's control tokens and image tokens by name, and where the checkpoint's tokenizer has them. Image tokens are one run of ids at the
 * end of the one vocabulary; the rest of the backend counts on that.
 */
import { modelErrors, openTokenizer, type TextTokenizer } from '@gvu/models';
import type { Emu3Config } from './config.ts';

const names = {
  begin: '<|extra_203|>',
  imageBegin: '<|image start|>',
  /** Between the size of an image and its tokens. */
  image: '<|image token|>',
  lineEnd: '<|extra_200|>',
  lastLineEnd: '<|extra_201|>',
  imageEnd: '<|image end|>',
  stop: '<|extra_204|>',
  padding: '<|endoftext|>',
} as const;

export type ControlIds = Readonly<Record<keyof typeof names, number>>;

export interface Emu3Tokens {
  readonly tokenizer: TextTokenizer;
  readonly control: ControlIds;
  /** The id of image token 0. */
  readonly firstId: number;
}

/** Opens the tokenizer of a checkpoint. Throws GVU_MODEL_FILE; GVU_MODEL_TOKENIZER with every token that is missing or misplaced. */
export async function openTokens(
  directory: string,
  { codes, decoder }: Pick<Emu3Config, 'codes' | 'decoder'>,
): Promise<Emu3Tokens> {
  const controls = new Set<number>();
  let firstId = Number.POSITIVE_INFINITY;
  const isControl = (id: number) => id >= firstId || controls.has(id);
  const tokenizer = await openTokenizer(directory, { isControl, vocabulary: decoder.vocabulary });
  const problems: string[] = [];
  const idOf = (name: string): number => {
    const id = tokenizer.idOf(name);
    if (id === undefined) problems.push(`there is no token '${name}'`);
    return id ?? 0;
  };
  const control = {
    begin: idOf(names.begin),
    imageBegin: idOf(names.imageBegin),
    image: idOf(names.image),
    lineEnd: idOf(names.lineEnd),
    lastLineEnd: idOf(names.lastLineEnd),
    imageEnd: idOf(names.imageEnd),
    stop: idOf(names.stop),
    padding: idOf(names.padding),
  };
  const [first, last] = [idOf(visualToken(0)), idOf(visualToken(codes - 1))];
  if (problems.length === 0) {
    if (last - first !== codes - 1)
      problems.push(`image tokens have the ids ${first} to ${last}, not ${codes} in a row`);
    if (last !== decoder.vocabulary - 1)
      problems.push(`the last image token has the id ${last}, not the last of ${decoder.vocabulary}`);
    for (const [key, id] of Object.entries(control))
      if (id >= first) problems.push(`the control token '${key}' has the id ${id}, among those of images`);
  }
  if (problems.length > 0)
    throw modelErrors.error('GVU_MODEL_TOKENIZER', `The tokenizer does not fit the model: ${problems.join('; ')}.`, {
      hint: 'Get tokenizer.json and config.json of the same release.',
      details: { problems },
    });
  for (const id of Object.values(control)) controls.add(id);
  firstId = first;
  return { tokenizer, control, firstId };
}

/** The name of an image token: its number in six digits. */
export function visualToken(token: number): string {
  return `<|visual token ${String(token).padStart(6, '0')}|>`;
}

/**
 * The token sequences of X-Omni.
 *
 * Drawing:  prompt <SOM>h w<IMAGE> tokens             as raw text, no chat template; h and w are words, the size of the grid
 * Reading:  a user's turn of <SOM>h w<IMAGE> tokens <EOM>, a line feed and the instruction, by the chat template
 *
 * Sources: generate.py and chat.py of X-Omni-Team/X-Omni; the instruction is that of matrix0721/GvU.
 */
import { modelErrors, type SequenceBuilder, type TextTokenizer, type TokenGrid } from '@gvu/models';
import type { XOmniConfig } from './config.ts';

/** P_sys of the paper's implementation: it follows the image in the user's turn. */
export const describeInstruction = 'Describe the image in detail.';

/**
 * Throws GVU_MODEL_TOKENIZER when the tokenizer lacks a control token, has one outside the image tables, or names image tokens
 * otherwise than the model numbers them.
 */
export function xOmniSequences(
  config: XOmniConfig,
  tokenizer: TextTokenizer,
  grid: { readonly rows: number; readonly columns: number },
): SequenceBuilder {
  const { control, decoder } = config;
  const imageId = checkedIds(config, tokenizer);
  const stop = tokenizer.idOf('<|im_end|>');
  if (stop === undefined) throw badTokenizer([`there is no token '<|im_end|>'`]);
  const opening = ({ rows, columns }: Pick<TokenGrid, 'rows' | 'columns'>) =>
    `${control.begin}${rows} ${columns}${control.image}`;
  /** A user's turn that shows an image and asks something; its tokens come behind the opening. */
  const shown = (image: Pick<TokenGrid, 'rows' | 'columns'>, instruction: string) =>
    tokenizer.chat([{ role: 'user', content: `${opening(image)}${control.end}\n${instruction}` }]);
  if (!shown(grid, describeInstruction).includes(`${opening(grid)}${control.end}\n${describeInstruction}`))
    throw badTokenizer(['the chat template leaves out what the user says, or changes it']);
  return {
    draw(prompt) {
      tokenizer.encodePlain(prompt);
      return tokenizer.encode(`${prompt}${opening(grid)}`);
    },
    unconditional: () => tokenizer.encode(opening(grid)),
    read(instruction, image) {
      tokenizer.encodePlain(instruction);
      if (image && !('tokens' in image)) throw new TypeError('X-Omni is shown tokens, never features.');
      if (!image) return tokenizer.encode(tokenizer.chat([{ role: 'user', content: instruction }]));
      const ids = tokenizer.encode(shown(image, instruction));
      const place = ids.indexOf(imageId) + 1;
      const tokens = Array.from(image.tokens, (token) => token + decoder.vocabulary);
      return [...ids.slice(0, place), ...tokens, ...ids.slice(place)];
    },
    describe: describeInstruction,
    stop: [stop],
    padding: stop,
  };
}

/** The id that image tokens follow, after checking all that the model's numbering rests on. */
function checkedIds({ control, decoder, imageRows, imageTokens }: XOmniConfig, tokenizer: TextTokenizer): number {
  const first = decoder.vocabulary;
  const problems: string[] = [];
  for (const name of Object.values(control)) {
    const id = tokenizer.idOf(name);
    if (id === undefined) problems.push(`there is no token '${name}'`);
    else if (id < first + imageTokens || id >= first + imageRows)
      problems.push(`'${name}' has the id ${id}, not one from ${first + imageTokens} to ${first + imageRows - 1}`);
  }
  for (let token = 0; token < imageTokens && problems.length < 10; token++) {
    const name = `<MM-Token-${token}>`;
    const id = tokenizer.idOf(name);
    if (id !== first + token) problems.push(`'${name}' has the id ${id}, not ${first + token}`);
  }
  if (problems.length > 0) throw badTokenizer(problems);
  return tokenizer.idOf(control.image) ?? first;
}

function badTokenizer(problems: readonly string[]): Error {
  return modelErrors.error('GVU_MODEL_TOKENIZER', `The tokenizer does not fit the model: ${problems.join('; ')}.`, {
    hint: 'Get tokenizer.json and config.json of the same release.',
    details: { problems },
  });
}

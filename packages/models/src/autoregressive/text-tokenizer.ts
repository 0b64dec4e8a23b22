/**
 * The tokenizer and the chat template of a checkpoint, from `tokenizer.json`, `tokenizer_config.json` and, where newer releases
 * have it, `chat_template.jinja`. Texts of users are taken as text alone: one that spells a control token is refused, or
 * whoever writes a prompt could end the user's turn or bring an image of his own.
 */
import { isRecord } from '@gvu/core';
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { modelErrors } from '../errors.ts';
import { readModelFile, readModelJson } from '../model-files.ts';
import { renderTemplate } from './chat-template.ts';
import { vocabularyProblems } from './vocabulary.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface TextTokenizer {
  /** Ids of a text, control tokens in it included; none are added. */
  encode(text: string): number[];
  /** Ids of a text that is not empty, has no control token, and loses no character. Throws GVU_MODEL_TEXT. */
  encodePlain(text: string): number[];
  /** Without control tokens. */
  decode(ids: readonly number[]): string;
  /** The id of a token by its exact name. */
  idOf(token: string): number | undefined;
  /** The template's text of a conversation, up to where the assistant's turn begins. Throws GVU_MODEL_TOKENIZER. */
  chat(messages: readonly ChatMessage[]): string;
}

export interface TokenizerOptions {
  /** Ids that are control tokens too, besides those that the tokenizer calls special. */
  readonly isControl?: (id: number) => boolean;
  /** How many ids the model knows; a tokenizer with others is refused. */
  readonly vocabulary?: number;
}

/** Opens the tokenizer of a checkpoint's directory. Throws GVU_MODEL_FILE, GVU_MODEL_TOKENIZER. */
export async function openTokenizer(directory: string, options: TokenizerOptions = {}): Promise<TextTokenizer> {
  const [json, config] = await Promise.all([
    readModelJson(directory, 'tokenizer.json'),
    readModelJson(directory, 'tokenizer_config.json'),
  ]);
  const file = await readModelFile(directory, 'chat_template.jinja', { optional: true });
  const template = file ?? (typeof config.chat_template === 'string' ? config.chat_template : undefined);
  return createTextTokenizer({ json, config, template, source: `'${directory}'` }, options);
}

export interface TokenizerSource {
  readonly json: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly template?: string | undefined;
  /** How errors name it. */
  readonly source: string;
}

export function createTextTokenizer(
  { json, config, template, source }: TokenizerSource,
  { isControl = () => false, vocabulary }: TokenizerOptions = {},
): TextTokenizer {
  refuseVocabulary(source, vocabularyProblems(json, vocabulary));
  const tokenizer = attempt(source, 'The tokenizer', () => new Tokenizer(json, config));
  if (template !== undefined) attempt(source, 'The chat template', () => new Template(template));
  // A rendering takes a process; readings differ in what is said before them far less than in images.
  const rendered = new Map<string, string>();
  const added = tokenizer.get_added_tokens_decoder();
  const encode = (text: string): number[] =>
    text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids;
  // A copy, for the library wants an array that it could change.
  const decode = (ids: readonly number[]): string =>
    ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: true });
  return {
    encode,
    encodePlain(text) {
      const ids = encode(text);
      const control = ids.find((id) => added.get(id)?.special === true || isControl(id));
      const shown = JSON.stringify(text);
      const refuse = (problem: string) => modelErrors.error('GVU_MODEL_TEXT', problem, { hint: 'Give plain words.' });
      if (text.trim() === '') throw refuse('A text is empty.');
      if (control !== undefined) throw refuse(`${shown} has the control token '${tokenizer.id_to_token(control)}'.`);
      const back = decode(ids);
      if (letters(back) !== letters(text))
        throw refuse(
          `${shown} has characters that the tokenizer does not know: it makes ${JSON.stringify(back)} of it.`,
        );
      return ids;
    },
    decode,
    idOf: (token) => tokenizer.token_to_id(token),
    chat(messages) {
      if (template === undefined)
        throw modelErrors.error('GVU_MODEL_TOKENIZER', `The tokenizer of ${source} has no chat template.`, {
          hint: 'Get tokenizer_config.json or chat_template.jinja of the same release.',
        });
      const names = Object.entries(config).flatMap(([key, value]) => {
        const text = isRecord(value) ? value.content : value;
        return key.endsWith('_token') && typeof text === 'string' ? [[key, text]] : [];
      });
      const key = JSON.stringify(messages);
      const known = rendered.get(key);
      if (known !== undefined) return known;
      const context = { ...Object.fromEntries(names), messages, add_generation_prompt: true };
      const text = attempt(source, 'The chat template', () => renderTemplate(template, context));
      if (rendered.size >= mostRendered) rendered.clear();
      rendered.set(key, text);
      return text;
    },
  };
}

/** What must be left of a text: tokenizers may change its spaces, the forms of its characters, and capitals. */
const letters = (text: string): string => text.normalize('NFKC').toLowerCase().replaceAll(/\s/g, '');

/** Conversations whose text is kept. */
const mostRendered = 1024;

function refuseVocabulary(source: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, 5).join('; ');
  const more = problems.length > 5 ? `; and ${problems.length - 5} more` : '';
  throw modelErrors.error('GVU_MODEL_TOKENIZER', `The tokenizer of ${source} cannot be used: ${shown}${more}.`, {
    hint: 'Get the files again, all of one release.',
    details: { problems },
  });
}

/** Gives what a library throws over a checkpoint's files a code. */
function attempt<T>(source: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw modelErrors.error('GVU_MODEL_TOKENIZER', `${what} of ${source} cannot be used: ${why}.`, {
      hint: 'Get the files again, all of one release.',
      cause,
    });
  }
}

/**
 * The token sequences of Janus ("deepseek" format of its release), each beginning with the begin of a sentence.
 *
 * Drawing:    {user}: prompt\n\n{assistant}:<begin_of_image>
 *   guidance: the same with padding in place of all between its first and its last token; that padding is attended to
 * Reading:    system prompt\n\n{user}: <begin_of_image> features <end_of_image>\ninstruction\n\n{assistant}:
 *
 * Sources: conversation.py, processing_vlm.py and generation_inference.py of deepseek-ai/Janus.
 */
import { modelErrors, openTokenizer, type SequenceBuilder, type TextTokenizer } from '@gvu/models';

/** How speakers are called: Janus-Pro has tokens for them, Janus-1.3B has words. */
export type Speakers = 'pro' | 'words';

const speakerNames = {
  pro: { user: '<|User|>', assistant: '<|Assistant|>' },
  words: { user: 'User', assistant: 'Assistant' },
} as const;

/** P_sys of the paper: it follows the image in the user's turn. */
export const describeInstruction = 'Describe the image in detail.';

/** What the release says before every question about an image. */
const systemPrompt =
  'You are a helpful language and vision assistant. You are able to understand the visual content that the user provides, and assist the user with a variety of tasks using natural language.';

const names = {
  begin: '<｜begin▁of▁sentence｜>',
  end: '<｜end▁of▁sentence｜>',
  padding: '<｜▁pad▁｜>',
  placeholder: '<image_placeholder>',
  beginImage: '<begin_of_image>',
  endImage: '<end_of_image>',
} as const;

export type ControlIds = Readonly<Record<keyof typeof names, number>>;

/**
 * The tokenizer of a checkpoint of a model with `vocabulary` words, and the ids of its control tokens. Throws GVU_MODEL_FILE, and
 * GVU_MODEL_TOKENIZER with every token that is missing: the names of speakers too, where they are said to be tokens.
 */
export async function openTokens(
  folder: string,
  { vocabulary, speakers }: { readonly vocabulary: number; readonly speakers: Speakers },
): Promise<{ readonly tokenizer: TextTokenizer; readonly ids: ControlIds }> {
  const controls = new Set<number>();
  // The releases do not call all of them special: by their spelling a prompt could end an image.
  const tokenizer = await openTokenizer(folder, { isControl: (id) => controls.has(id), vocabulary });
  const problems: string[] = [];
  const idOf = (name: string): number => {
    const id = tokenizer.idOf(name);
    if (id === undefined) problems.push(`there is no token '${name}'`);
    else controls.add(id);
    return id ?? 0;
  };
  const ids = {
    begin: idOf(names.begin),
    end: idOf(names.end),
    padding: idOf(names.padding),
    placeholder: idOf(names.placeholder),
    beginImage: idOf(names.beginImage),
    endImage: idOf(names.endImage),
  };
  if (speakers === 'pro') Object.values(speakerNames.pro).forEach(idOf);
  if (problems.length === 0) return { tokenizer, ids };
  throw modelErrors.error('GVU_MODEL_TOKENIZER', `The tokenizer does not fit the model: ${problems.join('; ')}.`, {
    hint: 'Get tokenizer.json and config.json of the same release; for Janus-1.3B set the option speakers to "words".',
    details: { problems },
  });
}

export function janusSequences(tokenizer: TextTokenizer, ids: ControlIds, speakers: Speakers): SequenceBuilder {
  const { user, assistant } = speakerNames[speakers];
  return {
    draw(prompt) {
      tokenizer.encodePlain(prompt);
      return [ids.begin, ...tokenizer.encode(`${user}: ${prompt}\n\n${assistant}:${names.beginImage}`)];
    },
    unconditional: (prompt) => prompt.map((id, i) => (i === 0 || i === prompt.length - 1 ? id : ids.padding)),
    read(instruction, image) {
      tokenizer.encodePlain(instruction);
      if (image && 'tokens' in image) throw new TypeError('Janus is shown features, never the tokens that it draws.');
      const shown = image ? `${names.placeholder}\n` : '';
      const text = tokenizer.encode(`${systemPrompt}\n\n${user}: ${shown}${instruction}\n\n${assistant}:`);
      const places = Array.from({ length: image?.count ?? 0 }, () => ids.placeholder);
      const expanded = text.flatMap((id) =>
        id === ids.placeholder ? [ids.beginImage, ...places, ids.endImage] : [id],
      );
      return [ids.begin, ...expanded];
    },
    describe: describeInstruction,
    stop: [ids.end],
    padding: ids.padding,
  };
}

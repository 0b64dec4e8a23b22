/**
 * A model that answers questions about pictures as an ONNX file:
 *
 *   pixel_values [1, 3, H, W], input_ids [1, L], attention_mask [1, L] (token_type_ids)  ->  logits [1, V] of the first token of the answer
 *
 * which is what BLIP-VQA, T2I-CompBench's judge, is asked for its probability of "yes", and any other model gives when it is exported with
 * its prompt. Beside the file lie tokenizer.json, tokenizer_config.json and preprocessor_config.json. Answers are one token long.
 */
import { isRecord } from '@gvu/core';
import { openTokenizer, readModelJson } from '@gvu/models';
import { type Runtime, type TensorData, toNumbers } from '@gvu/onnx';
import type { Judge, JudgeQuestion } from '../judge.ts';
import { softmax } from './onnx-detector.ts';
import { openOnnxModel, openPictures, unfit } from './onnx-model.ts';

export interface OnnxVqaOptions {
  readonly model: string;
  readonly file: string;
  readonly yes: string;
}

/** Rejects with GVU_BENCHMARK_JUDGE, and as opening files does. */
export async function onnxVqa(
  { model: folder, file, yes }: OnnxVqaOptions,
  { runtime }: { runtime: Runtime },
): Promise<Judge> {
  const { program, fingerprint } = await openOnnxModel(folder, {
    file,
    inputs: ['pixel_values', 'input_ids', 'attention_mask'],
    optional: ['token_type_ids'],
    outputs: ['logits'],
  });
  const length = program.inputs.find(({ name }) => name === 'input_ids')?.shape[1] ?? -1;
  const typed = program.inputs.some(({ name }) => name === 'token_type_ids');
  const [prepare, { tokenise, decode, idOf }] = [await openPictures(folder), await openQuestions(folder, length)];
  const yesId = idOf(yes);
  if (yesId === undefined) throw unfit(folder, `${JSON.stringify(yes)} is no single token`);

  /** Of the first token of the answer. */
  const probabilities = async ({ pixels, system, question }: JudgeQuestion, signal: AbortSignal) => {
    // It would not be heard, and the answer taken for what it is not.
    if (system !== undefined) throw unfit(folder, 'it takes questions, not the instructions that this benchmark gives');
    const session = await runtime.cached(`vqa ${fingerprint}`, () => program);
    const { ids, mask } = tokenise(question);
    const feeds = {
      pixel_values: prepare(pixels),
      input_ids: row(ids),
      attention_mask: row(mask),
      ...(typed && { token_type_ids: row(ids.map(() => 0)) }),
    };
    return softmax(toNumbers((await session.run<'logits'>(feeds, { signal })).logits));
  };
  return {
    name: 'onnx-vqa',
    version: `1 ${fingerprint} yes=${JSON.stringify(yes)}`,
    async answer(questions, { signal }) {
      const answers: string[] = [];
      for (const question of questions) {
        const found = await probabilities(question, signal);
        answers.push(decode([found.indexOf(Math.max(...found))]).trim());
      }
      return answers;
    },
    async probability(questions, { signal }) {
      const values: number[] = [];
      for (const question of questions) values.push((await probabilities(question, signal))[yesId] ?? Number.NaN);
      return values;
    },
  };
}

/** As BERT's: begin, the words, end; cut and filled up to the length where there is one (-1 = none). */
async function openQuestions(folder: string, length: number) {
  const tokenizer = await openTokenizer(folder);
  const settings = await readModelJson(folder, 'tokenizer_config.json');
  const control = (key: 'cls_token' | 'sep_token' | 'pad_token'): number => {
    const value = isRecord(settings[key]) ? settings[key].content : settings[key];
    const id = typeof value === 'string' ? tokenizer.idOf(value) : undefined;
    if (id === undefined) throw unfit(folder, `its tokenizer has no ${key}`);
    return id;
  };
  const [begin, end, padding] = [control('cls_token'), control('sep_token'), control('pad_token')];
  return {
    idOf: (token: string) => tokenizer.idOf(token),
    decode: (ids: readonly number[]) => tokenizer.decode(ids),
    tokenise(question: string) {
      const words = tokenizer.encode(question);
      const ids = [begin, ...(length < 0 ? words : words.slice(0, length - 2)), end];
      const places = Array.from({ length: length < 0 ? ids.length : length }, (_, i) => i);
      return { ids: places.map((i) => ids[i] ?? padding), mask: places.map((i) => (i < ids.length ? 1 : 0)) };
    },
  };
}

function row(values: readonly number[]): TensorData {
  return { dtype: 'int64', shape: [1, values.length], data: BigInt64Array.from(values, BigInt) };
}

/**
 * What a language model is asked about an image of GenEval++, and how its reply is read. The rules are those of the official prompt
 * (strict; every expectation; one natural, photo-like picture), the sentences are GvU's own: a judge that runs elsewhere with the
 * official prompt may decide otherwise, so that the wording is a part of the benchmark's version.
 */
import { isRecord } from '@gvu/core';
import type { GenEvalMetadata, Included } from '../geneval/metadata.ts';

export const judgeInstruction = [
  'You check pictures against a list of requirements. Be strict: a picture is correct only if every requirement is met beyond doubt.',
  'It must be one natural picture that could be a photograph: a drawing, a stylised picture, a collage or several panels are incorrect.',
  'Reply with JSON alone: {"correct": 1 or 0, "reason": "one sentence"}.',
].join('\n');

/** The prompt and the requirements, one a line. */
export function checklist({ prompt, include, exclude = [] }: GenEvalMetadata): string {
  const wanted = include.map((entry) => `- ${requirement(entry)}`);
  const unwanted = exclude.map(({ class: name, count }) => `- no more than ${count - 1} of: ${name}`);
  return [`The picture was made for: ${prompt}`, 'Requirements:', ...wanted, ...unwanted].join('\n');
}

function requirement({ class: name, count, color, region, size, position }: Included): string {
  const parts = [
    `${count} of: ${name}`,
    color && `colour ${color}`,
    region && `in the ${halves[region]} of the picture`,
    size && `${size} than the other object`,
    position && `${position[0]} the objects of requirement ${position[1] + 1}`,
  ];
  return parts.filter(Boolean).join(', ');
}

const halves = { left: 'left half', right: 'right half', above: 'upper half', below: 'lower half' } as const;

export interface Reply {
  readonly correct: boolean;
  readonly reason: string;
}

/** The reply, which may stand in a code block or among words; null when there is none that can be read. */
export function parseReply(text: string | null): Reply | null {
  const json = text?.match(/\{[^{}]*\}/)?.[0];
  if (json === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const correct = typeof value.correct === 'string' ? Number(value.correct) : value.correct;
  if (correct !== 0 && correct !== 1 && typeof correct !== 'boolean') return null;
  return { correct: Boolean(correct), reason: typeof value.reason === 'string' ? value.reason : '' };
}

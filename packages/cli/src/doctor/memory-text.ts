/** What `gvu doctor --model` says of a model's memory. */
import { textTable } from '../terminal/table.ts';
import { sizeText } from './memory-size.ts';
import type { ModelMemory } from './model-memory.ts';

/** Real use exceeds what is counted: by the arena's rounding, scratch space of kernels, weights packed for them. See `docs/log.md`. */
const margin = 1.3;

export type Fit = 'fits' | 'tight' | 'too-large';

/** `tight` = only if nothing is taken beyond what is counted. */
export function fitOf(bytes: number, memoryBytes: number): Fit {
  if (bytes * margin <= memoryBytes) return 'fits';
  return bytes <= memoryBytes ? 'tight' : 'too-large';
}

export interface MemoryTextOptions {
  readonly width: number;
  /** What there is; undefined when that is not known. */
  readonly memoryBytes: number | undefined;
  readonly groupSize: number;
}

export function memoryText(memory: ModelMemory, { width, memoryBytes, groupSize }: MemoryTextOptions): string {
  const { backend, parameters, image, adapter, programs, microBatch, checkpointing } = memory;
  const count = (value: number) => value.toLocaleString('en-US');
  const head = [
    [
      'model',
      `${backend}, ${count(parameters)} weights${memory.hasWeights ? '' : ', which are not there: sizes of config.json'}`,
    ],
    [
      'drawings',
      `${image.width} x ${image.height} pixels in ${count(image.decisions)} decisions, ${groupSize} of each prompt`,
    ],
    ['adapter', `LoRA of rank ${adapter.rank} on ${adapter.targets.join(', ')}: ${count(adapter.trainable)} values`],
  ];
  const table = [
    ['phase', 'program', 'weights', 'at work'],
    ...programs.map(({ phase, program, weights, atWork }) => [phase, program, sizeText(weights), sizeText(atWork)]),
  ];
  const chosen = memory.totals.find((total) => total.microBatch === microBatch);
  const sum = [
    ['weights', `${sizeText(memory.weightBytes)} of all programs, which stay loaded`],
    ['state', `${sizeText(memory.stateBytes)}: adapter, gradient and both moments of AdamW`],
    [
      'together',
      `${sizeText(chosen?.bytes ?? 0)} at the height of a step, ${microBatch} of ${groupSize} drawings learned from at a time${checkpointing ? ', blocks computed again on the way back' : ''}`,
    ],
  ];
  const lines = [textTable(head, { width }), '', textTable(table, { width }), '', textTable(sum, { width })];
  const fits = memory.totals.map(({ microBatch: rows, bytes }) => [
    `micro-batch ${rows}`,
    sizeText(bytes),
    memoryBytes === undefined ? '' : sentences[fitOf(bytes, memoryBytes)],
  ]);
  const title = memoryBytes === undefined ? 'A step takes:' : `What fits into ${sizeText(memoryBytes)}:`;
  lines.push('', title, textTable(fits, { width }));
  const shared = 4 * memory.parameters;
  if (memory.target === 'cpu' && memory.weightBytes > 1.1 * shared)
    lines.push(
      '',
      `Each program has a copy of its own of weights that are cast. In float32 files they are there once: ${sizeText(shared)} in place of ${sizeText(memory.weightBytes)}.`,
    );
  lines.push('', 'Counted, not measured: ONNX Runtime takes up to 30 % more, and Node some 100 MB.');
  if (memory.target === 'cpu')
    lines.push('A program whose weights are cast takes up to twice its weights while it is loaded.');
  return lines.join('\n');
}

const sentences: Readonly<Record<Fit, string>> = {
  fits: 'fits',
  tight: 'tight: it is less than what is there, but not by the 30 % that may be taken besides',
  'too-large': 'does not fit',
};

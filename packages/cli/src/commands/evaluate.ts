/** `gvu evaluate`: a model on a published benchmark, by its own rules. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Contribution, isRecord } from '@gvu/core';
import type { BenchmarkResult, Evaluation, Mode, QuestionImage, ResultComparison } from '@gvu/evals';
import type { Pixels } from '@gvu/models';
import { Command, Option } from 'commander';
import type { JsonObject } from '../config/merge.ts';
import type { ModelOptions, OpenModel } from '../model/open-model.ts';
import { note, print, printJson, screenOf } from '../terminal/terminal.ts';
import { modelOptions } from './model-options.ts';
import { collect, examples, wholeNumber } from './shared-options.ts';

interface EvaluateOptions extends ModelOptions {
  readonly benchmark: string;
  readonly set?: readonly string[];
  readonly judge?: string;
  readonly judgeSet?: readonly string[];
  readonly mode: Mode;
  readonly seed: number;
  readonly images?: number;
  readonly perTag?: number;
  readonly rewrites?: string;
  readonly train?: string;
  readonly compare?: string;
  readonly out?: string;
  readonly json?: true;
}

/** What the command leaves in its folder. */
const files = { images: 'images', result: 'result.json', records: 'results.jsonl' } as const;

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .summary('a model on a published benchmark')
    .description(
      'Draws the prompts of a benchmark, or asks its questions, and scores them by its own rules, with standard errors and 95 % intervals.\n' +
        "The folder of images is the one that the benchmark's own script reads; without a judge, only that is written.\n" +
        '`gvu plugins list` shows benchmarks and judges, `gvu plugins show benchmarks/<id>` the options of one.',
    )
    .requiredOption('--benchmark <id>', 'which benchmark')
    .option('--set <key=value>', 'an option of the benchmark; may be repeated', collect)
    .option('--judge <id>', 'who looks at the drawings: shapes, self, http, onnx-detector, onnx-vqa or one of a plugin')
    .option('--judge-set <key=value>', 'an option of the judge; may be repeated', collect)
    .addOption(
      new Option('--mode <mode>', 'official = as the official script scores, its defects included')
        .choices(['official', 'fixed'])
        .default('official'),
    )
    .addOption(new Option('--seed <n>', 'everything random follows from it').argParser(wholeNumber(0)).default(0))
    .addOption(new Option('--images <n>', 'drawings of each prompt (default: as published)').argParser(wholeNumber(1)))
    .addOption(
      new Option('--per-tag <n>', 'use only the first items of each category: for a quick look').argParser(
        wholeNumber(1),
      ),
    )
    .option('--rewrites <file>', 'draw rewritten prompts of a .jsonl file, and score with the original metadata')
    .option('--train <file>', 'prompts that the model was trained on: tells which of the benchmark are among them')
    .option('--compare <directory>', 'compare with the result of an evaluation of before, item by item')
    .option('--out <directory>', 'where images and results go (default: evaluations/<benchmark>)')
    .option('--json', 'the result as a JSON object')
    .addHelpText(
      'after',
      examples([
        ['gvu evaluate --benchmark shapes-geneval --judge shapes', 'the embedded model, judged from pixels'],
        [
          'gvu evaluate --benchmark shapes-geneval --judge shapes --adapter runs/first --out after --compare before',
          'what training has changed',
        ],
        ['gvu evaluate --benchmark geneval --backend janus --model janus-pro-1b', 'images for the official script'],
        [
          'gvu evaluate --benchmark pope --set path=pope --set images=val2014 --backend janus --model janus-pro-1b',
          'questions instead of drawings',
        ],
      ]),
    )
    .action(evaluateBenchmark);
  for (const option of modelOptions()) command.addOption(option);
  return command;
}

async function evaluateBenchmark(options: EvaluateOptions): Promise<void> {
  const out = options.out ?? join('evaluations', options.benchmark);
  const { withModel } = await import('../model/open-model.ts');
  const before = options.compare === undefined ? undefined : await readResult(options.compare);
  const { evaluation, overall } = await withModel(options, async (model) => await run(model, options, out));
  const { result, records } = evaluation;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, files.result), `${JSON.stringify(result, null, 1)}\n`);
  await writeFile(join(out, files.records), records.map((row) => `${JSON.stringify(row)}\n`).join(''));

  const { compareResults } = await import('@gvu/evals');
  const comparison = before && compareResults(before, result, { overall });
  if (options.json) printJson({ ...result, ...(comparison && { comparison }), folder: out });
  else await show(result, { comparison, out });
}

async function run({ backend, adapter, host, runtime }: OpenModel, options: EvaluateOptions, out: string) {
  const [evals, { findPart }, images, { StatusLine }, { onInterrupt }] = await Promise.all([
    import('@gvu/evals'),
    import('../config/resolve-parts.ts'),
    import('../images/image-file.ts'),
    import('../terminal/status-line.ts'),
    import('../terminal/interrupt.ts'),
  ]);
  const { benchmarks, judges, evaluate, fileRewriter, readTrainingPrompts } = evals;
  const { padTo } = await import('../images/resample.ts');
  const model = await modelOf(options);
  const own = findPart(host, { kind: 'backends', use: backend.name }).plugin.name;
  const optionsOf = async (part: Contribution, set: readonly string[] | undefined) => ({
    ...(part.plugin.name === own && model !== undefined && takesModel(part) && { model }),
    ...(await assigned(set)),
  });

  const part = findPart(host, { kind: 'benchmarks', use: options.benchmark });
  const benchmark = await host.create(benchmarks, part.id, {
    options: await optionsOf(part, options.set),
    deps: undefined,
  });
  const createJudge = async (id: string) => {
    const found = findPart(host, { kind: 'judges', use: id });
    const deps = { backend, adapter, runtime, encodePng: images.pngBytes };
    return await host.create(judges, found.id, { options: await optionsOf(found, options.judgeSet), deps });
  };
  const judge = options.judge === undefined ? undefined : await createJudge(options.judge);

  const items = benchmark.kind === 'generation' ? benchmark.items : [];
  using interrupt = onInterrupt('Stopping.');
  using status = new StatusLine(screenOf(process.stderr));
  const evaluation: Evaluation = await evaluate(benchmark, {
    backend,
    adapter,
    adapterName: options.adapter,
    judge,
    mode: options.mode,
    seed: options.seed,
    imagesPerPrompt: options.images,
    perTag: options.perTag,
    rewriter: options.rewrites === undefined ? undefined : await fileRewriter(options.rewrites, items),
    training: options.train === undefined ? undefined : await readTrainingPrompts(options.train),
    folder: join(out, files.images),
    writeImage: images.writePng,
    readImage: async (image: QuestionImage): Promise<Pixels> => {
      const pixels =
        'file' in image
          ? await images.readImage(image.file)
          : images.decodeImage(Buffer.from(image.bytes), 'a question');
      return padTo(pixels, backend.image);
    },
    signal: interrupt.signal,
    onProgress: (done, all) => status.show(`${benchmark.name}: ${done}${all === null ? '' : `/${all}`}`),
  });
  return { evaluation, overall: benchmark.overall };
}

/** The weights that the command line or the run of the adapter names. */
async function modelOf({ model, adapter }: EvaluateOptions): Promise<string | undefined> {
  const { isRun } = await import('../runs/run-folder.ts');
  if (model !== undefined || adapter === undefined || !isRun(adapter)) return model;
  const { readRunConfig } = await import('@gvu/rl');
  const options = (await readRunConfig(adapter))?.backend.options;
  return isRecord(options) && typeof options.model === 'string' ? options.model : undefined;
}

function takesModel({ options: { schema } }: Contribution): boolean {
  return isRecord(schema) && isRecord(schema.properties) && 'model' in schema.properties;
}

async function assigned(set: readonly string[] = []): Promise<JsonObject> {
  const { assign, parseAssignment } = await import('../config/merge.ts');
  return set.reduce<JsonObject>((all, text) => assign(all, parseAssignment(text)), {});
}

/** The result in a folder of `gvu evaluate`. Throws GVU_BENCHMARK_RESULT. */
async function readResult(folder: string): Promise<BenchmarkResult> {
  const { parseResult } = await import('@gvu/evals');
  const file = join(folder, files.result);
  const text = await readFile(file, 'utf8').catch(() => '');
  return parseResult(text, file);
}

async function show(
  result: BenchmarkResult,
  { comparison, out }: { comparison: ResultComparison | undefined; out: string },
): Promise<void> {
  const { resultNotes, resultTable, comparisonRows } = await import('@gvu/evals');
  const { textTable } = await import('../terminal/table.ts');
  const screen = screenOf(process.stdout);
  const table = ({ head, rows }: ReturnType<typeof resultTable>) => textTable([head, ...rows], screen);
  if (result.summary) print(table(resultTable(result.summary)));
  if (comparison) print(`\n${table(comparisonRows(comparison))}\n\n${comparison.verdict.text}`);
  print('');
  for (const line of resultNotes(result)) print(line);
  if (!result.summary) note('Nothing was scored: there was no judge, or it could judge none of the images.');
  print(`Results: ${out}`);
}

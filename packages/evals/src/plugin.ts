/** The benchmarks and judges of this package as a plugin. The key `gvu` of package.json declares them. */
import { definePlugin } from '@gvu/core';
import { benchmarks } from './benchmarks/benchmark.ts';
import type { DpgOptions } from './benchmarks/dpg/dpg-bench.ts';
import type { GenEvalOptions } from './benchmarks/geneval/geneval.ts';
import type { GenEvalPlusOptions } from './benchmarks/geneval-pp/geneval-pp.ts';
import type { ImagineOptions } from './benchmarks/imagine.ts';
import { judges } from './benchmarks/judge.ts';
import type { HttpJudgeOptions } from './benchmarks/judges/http.ts';
import type { OnnxDetectorOptions } from './benchmarks/judges/onnx-detector.ts';
import type { OnnxVqaOptions } from './benchmarks/judges/onnx-vqa.ts';
import type { T2iOptions } from './benchmarks/t2i-compbench/t2i-compbench.ts';
import type { PopeOptions } from './benchmarks/understanding/pope.ts';
import type { TableKind, TableOptions } from './benchmarks/understanding/table.ts';

export default definePlugin({
  setup({ provide }) {
    provide(benchmarks, 'geneval', async (options: GenEvalOptions) =>
      (await import('./benchmarks/geneval/geneval.ts')).genEval(options),
    );
    provide(benchmarks, 'geneval-pp', async (options: GenEvalPlusOptions) =>
      (await import('./benchmarks/geneval-pp/geneval-pp.ts')).genEvalPlus(options),
    );
    provide(benchmarks, 'dpg-bench', async (options: DpgOptions) =>
      (await import('./benchmarks/dpg/dpg-bench.ts')).dpgBench(options),
    );
    provide(benchmarks, 't2i-compbench', async (options: T2iOptions) =>
      (await import('./benchmarks/t2i-compbench/t2i-compbench.ts')).t2iCompBench(options),
    );
    provide(benchmarks, 'imagine-bench', async (options: ImagineOptions) =>
      (await import('./benchmarks/imagine.ts')).imagineBench(options),
    );
    provide(benchmarks, 'pope', async (options: PopeOptions) =>
      (await import('./benchmarks/understanding/pope.ts')).pope(options),
    );
    const table = (id: string, choose: (kinds: typeof import('./benchmarks/understanding/tables.ts')) => TableKind) =>
      provide(benchmarks, id, async (options: TableOptions) => {
        const { tableBenchmark } = await import('./benchmarks/understanding/table.ts');
        return await tableBenchmark(choose(await import('./benchmarks/understanding/tables.ts')), options);
      });
    table('gqa', ({ gqa }) => gqa);
    table('mmbench', ({ mmBench }) => mmBench);
    table('seed-bench', ({ seedBench }) => seedBench);
    table('docvqa', ({ docVqa }) => docVqa);
    table('ocrbench', ({ ocrBench }) => ocrBench);
    table('mmt-bench', ({ mmtBench }) => mmtBench);

    provide(judges, 'self', async (_options: Readonly<Record<string, never>>, deps) =>
      (await import('./benchmarks/judges/self.ts')).selfJudge(deps),
    );
    provide(judges, 'http', async (options: HttpJudgeOptions, deps) =>
      (await import('./benchmarks/judges/http.ts')).httpJudge(options, deps),
    );
    provide(judges, 'onnx-detector', async (options: OnnxDetectorOptions, deps) =>
      (await import('./benchmarks/judges/onnx-detector.ts')).onnxDetector(options, deps),
    );
    provide(judges, 'onnx-vqa', async (options: OnnxVqaOptions, deps) =>
      (await import('./benchmarks/judges/onnx-vqa.ts')).onnxVqa(options, deps),
    );
  },
});

/**
 * The options of ONNX Runtime for each use of a session, each one measured with onnxruntime-node 1.30 on 2 cores.
 *
 * - `session.disable_prepacking`: packing copies every constant weight into the layout of the kernel. It speeds up products
 *   of few rows, which is what decoding is (16 layers of 1024 x 1024, one row: 2.9 ms against 3.6 to 5.5 ms), and costs as
 *   much memory as the weights. Training uses each weight in two layouts, so packing would double that and gain nothing.
 * - `enableMemPattern: false`: the pattern plans one block for all activations of a run and keeps it besides the arena. The
 *   LoRA step of a 5M decoder peaked at 460 instead of 720 MB without it, and no graph became slower.
 * - `session.force_spinning_stop`: threads of a session stop spinning when its run ends. Three sessions in turn: 7.9 instead
 *   of 18.3 ms a round; one alone: no difference.
 * - `executionMode: 'sequential'`: parallel was half as fast on training graphs, and needs the second thread pool.
 * - The CPU arena stays on: without it, steps took 1.4 times as long.
 */
import type { InferenceSession } from 'onnxruntime-node';
import type { Program } from './program.ts';
import type { SessionSettings } from './protocol.ts';

export function sessionOptions(
  { use, device, threads }: SessionSettings,
  { externalFolder, disabledOptimizers = [] }: Pick<Program, 'externalFolder' | 'disabledOptimizers'> = {},
): InferenceSession.SessionOptions {
  return {
    // Alone in the list: with 'cpu' behind it, onnxruntime-common would drop a missing device with only a warning.
    executionProviders: [device],
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    // Errors are thrown, and would be printed to stderr as well.
    logSeverityLevel: 4,
    extra: {
      session: {
        force_spinning_stop: '1',
        ...(use === 'training' && { disable_prepacking: '1' }),
        ...(externalFolder !== undefined && { model_external_initializers_file_folder_path: externalFolder }),
      },
      ...(disabledOptimizers.length > 0 && {
        optimization: { disable_specified_optimizers: disabledOptimizers.join(';') },
      }),
    },
  };
}

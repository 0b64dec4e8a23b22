/**
 * The options of ONNX Runtime for each use of a session. Each was measured to have its effect in onnxruntime-node 1.30, on 2
 * cores; "MLP" is 12 layers of 256 with 4096 rows, forward and backward.
 *
 * - `session.disable_prepacking` for training. Packing copies constant weights into the layout of the kernel: loading 64 MB
 *   of weights from a file adds 67 MB with it and nothing without. In return, products of few rows are fast, which is what
 *   decoding is: 16 layers of 1024 x 1024 on one row take 2.5 ms with it and 6.2 ms without. Training uses each weight in two
 *   layouts and on many rows, so it would pay twice and gain nothing.
 * - `enableMemPattern: false`. The pattern plans one block for all activations, which it keeps besides the arena: the MLP
 *   peaks 133 MB higher than before its first run with it, 80 MB without, in the same time.
 * - `session.force_spinning_stop`: the threads of a session stop spinning when its run ends. Three sessions in turn take 7.9
 *   instead of 18.3 ms a round; for one alone it makes no difference.
 * - `executionMode: 'sequential'`, the default, said because the other one takes 2 to 4 times as long on the MLP.
 * - The arena for the CPU stays on, as by default: without it the MLP peaks 142 to 155 MB higher.
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

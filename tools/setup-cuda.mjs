// Downloads the CUDA libraries of onnxruntime-node, which a plain `npm ci` leaves out: they are large, come from another host,
// and exist for linux-x64 with CUDA 12 only. Run once on a machine with a GPU: `npm run setup:cuda`.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const script = join(require.resolve('onnxruntime-node/package.json'), '..', 'script', 'install.js');
const { status } = spawnSync(process.execPath, [script], {
  stdio: 'inherit',
  env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'cuda12' },
});
process.exitCode = status ?? 1;

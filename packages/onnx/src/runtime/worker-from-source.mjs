/** Starts the worker from its TypeScript, as tests do: Node 20 reads none, and a loader of the main thread stays there. */
import { tsImport } from 'tsx/esm/api';

await tsImport('./worker.ts', import.meta.url);

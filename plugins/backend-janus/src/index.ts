export { createJanusBackend } from './backend.ts';
export { type JanusConfig, janusConfig, type VisionConfig, type VqConfig } from './checkpoint/config.ts';
export { type JanusCheckpoint, janusParameters, openJanus } from './checkpoint/open.ts';
export type { JanusOptions } from './options.ts';
export { janusSizes } from './sizes.ts';

export { type JanusConfig, janusConfig, type VisionConfig, type VqConfig } from './checkpoint/config.ts';
export { type JanusCheckpoint, openJanus } from './checkpoint/open.ts';

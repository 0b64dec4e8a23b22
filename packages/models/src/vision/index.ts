export { resizeBicubic } from './resize-bicubic.ts';
export { type VisionTransformerConfig, visionParameters, visionTransformer } from './transformer.ts';

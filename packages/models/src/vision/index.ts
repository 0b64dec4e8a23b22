export { resizeBicubic, resizeBilinear } from './resize.ts';
export { type VisionTransformerConfig, visionParameters, visionTransformer } from './transformer.ts';

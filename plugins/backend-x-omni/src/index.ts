export { type EncoderConfig, type ImageSizes, type XOmniConfig, xOmniConfig } from './config.ts';
export { xOmniErrors } from './errors.ts';
export { openXOmni, type XOmniModel } from './model.ts';
export { type SamplerPreset, samplers } from './samplers.ts';
export { describeInstruction, xOmniSequences } from './sequences.ts';
export { tokenPreview } from './token-preview.ts';

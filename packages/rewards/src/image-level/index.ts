export { type AestheticOptions, aesthetic, aestheticConfig } from './aesthetic.ts';
export { type Encoder, type OpenEncoderOptions, openEncoder } from './encoder/open-encoder.ts';
export { type HttpOptions, http, httpConfig } from './http.ts';
export { type ImageRewardOptions, imageReward, imageRewardConfig } from './image-reward.ts';
export {
  type SelfVqaOptions,
  selfVqa,
  selfVqaConfig,
  type VqaScoreOptions,
  vqaScore,
  vqaScoreConfig,
  type YesNoOptions,
  yesNo,
  yesNoConfig,
} from './questions.ts';
export {
  type ClipScoreOptions,
  clipScore,
  clipScoreConfig,
  type HpsV2Options,
  hpsV2,
  hpsV2Config,
  type PickScoreOptions,
  pickScore,
  pickScoreConfig,
  type SiglipOptions,
  siglip,
  siglipConfig,
} from './similarity.ts';

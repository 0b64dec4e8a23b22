/**
 * Cosine and sine tables of rotary position embeddings (Su et al. 2021), with the frequency scalings of Llama 3.1 and of
 * linear interpolation. Rounded to float32 where Hugging Face's implementation rounds, so that long positions agree with it.
 */
import { type TensorData, tensorData } from '@gvu/onnx';
import type { DecoderConfig, RopeScaling } from './config.ts';

/** Rotations per position of each pair of dimensions [headDim / 2], in radians. */
export function inverseFrequencies(
  config: Pick<DecoderConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>,
): readonly number[] {
  return Array.from({ length: config.headDim / 2 }, (_, i) =>
    Math.fround(scaleFrequency(Math.fround(1 / config.ropeTheta ** ((2 * i) / config.headDim)), config.ropeScaling)),
  );
}

/** cos and sin [positions, headDim / 2] for positions 0, 1, 2 … */
export function ropeTables(
  config: Pick<DecoderConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>,
  positions: number,
  dtype: 'float32' | 'float64' | 'float16' = 'float32',
): { cos: TensorData; sin: TensorData } {
  const frequencies = inverseFrequencies(config);
  const angles = Array.from({ length: positions }, (_, p) =>
    frequencies.map((frequency) => Math.fround(p * frequency)),
  ).flat();
  const shape = [positions, frequencies.length];
  return { cos: tensorData(dtype, shape, angles.map(Math.cos)), sin: tensorData(dtype, shape, angles.map(Math.sin)) };
}

function scaleFrequency(frequency: number, scaling: RopeScaling): number {
  if (scaling.type === 'default') return frequency;
  if (scaling.type === 'linear') return frequency / scaling.factor;
  // Llama 3.1: slow rotations are stretched by the factor, fast ones kept, those between blended.
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > originalPositions / lowFrequencyFactor) return frequency / factor;
  if (wavelength < originalPositions / highFrequencyFactor) return frequency;
  const blend = (originalPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return (1 - blend) * (frequency / factor) + blend * frequency;
}

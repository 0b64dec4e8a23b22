/** Starting a device, and what to do when it does not start. There is no fallback: a run on the wrong device looks like success. */
import { didYouMeanHint, type GvuError } from '@gvu/core';
import { onnxErrors } from '../errors.ts';
import { kindOf } from './kind-of.ts';
import { asSentence } from './ort-errors.ts';
import { type Device, devices } from './protocol.ts';
import type { WorkerFailure } from './worker-client.ts';

const hints: Readonly<Record<Device, string>> = {
  cpu: 'Check that onnxruntime-node is installed for this platform.',
  cuda: 'Run `npm run setup:cuda` on a machine with an NVIDIA GPU, its driver, CUDA 12 and cuDNN 9, or use the device "cpu".',
  webgpu:
    'It needs a GPU with a driver for Vulkan (Linux: libvulkan.so.1), Direct3D 12 (Windows) or Metal (macOS); or use the device "cpu".',
};

export function isDevice(name: unknown): name is Device {
  return devices.some((device) => device === name);
}

export function unknownDevice(name: unknown): GvuError {
  const near = typeof name === 'string' ? didYouMeanHint(name, devices) : '';
  return onnxErrors.error('GVU_RUNTIME_DEVICE', `There is no device ${kindOf(name)}.`, {
    hint: `Use one of ${devices.join(', ')}.${near}`,
    details: { device: name },
  });
}

export function deviceFailed(device: Device, { message }: WorkerFailure): GvuError {
  return onnxErrors.error('GVU_RUNTIME_DEVICE', `The device '${device}' does not start: ${asSentence(message)}`, {
    hint: hints[device],
    details: { device, ortMessage: message },
  });
}

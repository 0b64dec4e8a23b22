export { openTorch, readTorchTensor, type TorchEntry, type TorchFile, torchWeights } from './torch-file.ts';

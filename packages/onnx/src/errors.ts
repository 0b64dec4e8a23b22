/** The codes of `@gvu/onnx`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const onnxErrors = defineErrors({
  GVU_AUTODIFF_NO_RULE: 'A gradient was asked for through an operator that has no gradient rule.',
  GVU_AUTODIFF_RULE: 'A gradient rule gave a gradient of the wrong type.',
  GVU_AUTODIFF_TARGET: 'A gradient was asked of, or with respect to, a tensor that cannot have one.',
  GVU_CHECKPOINT_INDEX: 'The index of a sharded checkpoint is malformed or contradicts its shards.',
  GVU_CHECKPOINT_LINK: 'A file of a checkpoint is a symbolic link that leads out of it.',
  GVU_CHECKPOINT_MISSING: 'There is no safetensors checkpoint at a path.',
  GVU_CHECKPOINT_SHARDS: 'Shards of a checkpoint are missing or cannot be used.',
  GVU_EXTERNAL_DATA: 'Weight files cannot be given to ONNX Runtime as external data.',
  GVU_GRAPH_DTYPE: 'An operator got operands of dtypes that it does not take.',
  GVU_GRAPH_INVALID: 'A graph breaks a rule that ONNX Runtime would not report clearly, or not at all.',
  GVU_GRAPH_NAME: 'A name in a graph is empty or used twice.',
  GVU_GRAPH_SCOPE: 'A tensor is used where it cannot be seen.',
  GVU_GRAPH_SHAPE: 'An operator got operands of shapes that do not fit.',
  GVU_SAFETENSORS_DTYPE: 'A tensor of a safetensors file has a dtype that has no tensor values here.',
  GVU_SAFETENSORS_HEADER: 'The header of a safetensors file is broken, or the file is of another format.',
  GVU_SAFETENSORS_READ: 'A safetensors file could not be opened or read.',
  GVU_SAFETENSORS_SIZE: 'A safetensors file is shorter or longer than its header says.',
  GVU_SAFETENSORS_TENSORS: 'Entries in the header of a safetensors file do not describe tensors.',
  GVU_SAFETENSORS_WRITE: 'Tensors could not be written as a safetensors file.',
  GVU_LORA_TARGET: 'An adapter names modules that the model does not have.',
  GVU_SAMPLER: 'A sampler option is out of range.',
  GVU_TENSOR_DATA: 'The values of a tensor do not fit its dtype or shape.',
});

"""Does PEFT load the adapter of a run on a Janus checkpoint? Arguments: the checkpoint, the directory of the adapter."""
import sys

import peft
import torch
import transformers
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file

model, adapter = sys.argv[1:]
base = transformers.JanusForConditionalGeneration.from_pretrained(model, dtype=torch.float32)
adapted = peft.PeftModel.from_pretrained(base, adapter).eval()
stored = load_file(f"{adapter}/adapter_model.safetensors")
taken = get_peft_model_state_dict(adapted)
strange = [name for name in stored if name not in taken]
changed = [name for name, tensor in stored.items() if name in taken and not torch.equal(taken[name], tensor)]
learned = sum(bool(tensor.any()) for name, tensor in stored.items() if "lora_B" in name)
ok = not strange and not changed and learned > 0
print(f"{len(stored)} tensors, {len(strange)} without a place, {len(changed)} changed, {learned} of B learned")
print(f"{'ok' if ok else 'FAIL'}: torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
sys.exit(0 if ok else 1)

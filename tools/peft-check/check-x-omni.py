"""Does PEFT load the adapter of a run on an X-Omni checkpoint? Arguments: the checkpoint, the directory of the adapter.

The class of the release comes with its checkpoint, and is not needed: the adapter only names modules. They are built here with the names of
the checkpoint's own tensors, so that an adapter that names anything else finds no place.
"""
import glob
import json
import sys

import peft
import torch
import transformers
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

model, adapter = sys.argv[1:]
config = json.load(open(f"{model}/config.json"))


class Holder(nn.Module):
    """A module of whatever names."""


def module(weight, biased):
    if weight.dim() == 1:
        return nn.RMSNorm(weight.shape[0])
    return nn.Linear(weight.shape[1], weight.shape[0], bias=biased)


def build():
    tensors = {}
    for path in glob.glob(f"{model}/*.safetensors"):
        with safe_open(path, "pt") as file:
            if file.keys() and any(name.startswith("model.layers.") for name in file.keys()):
                tensors.update({name: file.get_tensor(name) for name in file.keys()})
    root = Holder()
    for name, weight in tensors.items():
        *parents, own, kind = name.split(".")
        if kind != "weight":
            continue
        at = root
        for parent in parents:
            if not hasattr(at, parent):
                at.add_module(parent, Holder())
            at = getattr(at, parent)
        at.add_module(own, module(weight, name.replace(".weight", ".bias") in tensors))
    missing, unexpected = root.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    root.config = transformers.PretrainedConfig()
    return root


base = build()
adapted = peft.PeftModel(base, peft.PeftConfig.from_pretrained(adapter))
result = peft.set_peft_model_state_dict(adapted, load_file(f"{adapter}/adapter_model.safetensors"))
stored = load_file(f"{adapter}/adapter_model.safetensors")
taken = get_peft_model_state_dict(adapted)
strange = [name for name in stored if name not in taken] + list(result.unexpected_keys)
changed = [name for name, tensor in stored.items() if name in taken and not torch.equal(taken[name], tensor)]
empty = [name for name in taken if name not in stored]
learned = sum(bool(tensor.any()) for name, tensor in stored.items() if "lora_B" in name)
ok = not strange and not changed and not empty and learned > 0
print(
    f"{len(stored)} tensors, {len(strange)} without a place, {len(changed)} changed, "
    f"{len(empty)} places without a tensor, {learned} of B learned, {config['num_hidden_layers']} layers"
)
print(f"{'ok' if ok else 'FAIL'}: torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
sys.exit(0 if ok else 1)

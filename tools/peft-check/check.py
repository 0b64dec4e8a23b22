"""The PEFT side of peft-check.ts: loads <folder>/adapter, writes <folder>/theirs.safetensors and saves <folder>/theirs."""
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

folder, model = sys.argv[1:]
base = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager")
adapted = peft.PeftModel.from_pretrained(base, f"{folder}/adapter").eval()
ids = load_file(f"{folder}/ids.safetensors")["ids"]
with torch.no_grad():
    on = adapted(input_ids=ids, use_cache=False).logits
    with adapted.disable_adapter():
        off = adapted(input_ids=ids, use_cache=False).logits
save_file({"on": on.contiguous(), "off": off.contiguous()}, f"{folder}/theirs.safetensors")
adapted.save_pretrained(f"{folder}/theirs")
print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")

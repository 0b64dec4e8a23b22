"""Writes packages/onnx/test/exports: small models as PyTorch exports them to ONNX, with inputs and outputs of PyTorch.

Both exporters of PyTorch (the older one by tracing, and torch.export), several operator sets and both forms of attention,
because each writes other operators. The weights are random. Run it again only for other exporters:

    python -m venv .venv
    .venv/bin/pip install torch==2.13.0 transformers==5.18.0 safetensors onnx==1.23.1 onnxscript==0.7.2
    .venv/bin/python tools/onnx-exports/export.py
"""

from pathlib import Path

import onnx
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    LlamaConfig,
    LlamaForCausalLM,
    ViTConfig,
    ViTModel,
)

TARGET = Path(__file__).parents[2] / "packages/onnx/test/exports"

BLOCKS = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2)
TEXT = dict(BLOCKS, vocab_size=37, max_position_embeddings=12)
IMAGE = dict(BLOCKS, image_size=8, patch_size=4)


class Wrapped(torch.nn.Module):
    """A model whose inputs are positional and whose output is one tensor."""

    def __init__(self, model, call):
        super().__init__()
        self.model = model
        self.call = call

    def forward(self, *inputs):
        return self.call(self.model, *inputs)


def strip(holder):
    """Takes away what the exporters say of their own source files."""
    for field in ("doc_string", "metadata_props"):
        if any(descriptor.name == field for descriptor in holder.DESCRIPTOR.fields):
            holder.ClearField(field)


def strip_graph(graph):
    for holder in [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        strip(holder)
    for node in graph.node:
        for attribute in node.attribute:
            strip(attribute)
            if attribute.HasField("g"):
                strip_graph(attribute.g)
    del graph.value_info[:]


def export(name, model, call, inputs, opset, exporter, attention):
    model = model.eval()
    model.set_attn_implementation(attention)
    wrapped = Wrapped(model, call).eval()
    names = list(inputs)
    path = TARGET / f"{name}.onnx"
    options = dict(input_names=names, output_names=["y"], opset_version=opset)
    with torch.no_grad():
        expected = wrapped(*inputs.values())
        if exporter == "export":
            torch.onnx.export(wrapped, tuple(inputs.values()), path, dynamo=True, external_data=False, **options)
        else:
            axes = {key: {i: f"{key}_{i}" for i in range(value.dim())} for key, value in inputs.items()}
            if "pixel_values" in axes:
                axes["pixel_values"] = {0: "batch"}
            torch.onnx.export(wrapped, tuple(inputs.values()), path, dynamo=False, dynamic_axes=axes, **options)
    exported = onnx.load(path)
    strip(exported)
    strip_graph(exported.graph)
    del exported.functions[:]
    onnx.save(exported, path)
    save_file({**inputs, "y": expected.contiguous()}, TARGET / f"{name}.safetensors")
    print(name, path.stat().st_size, len(exported.graph.node), exporter, attention, opset)


def main():
    torch.manual_seed(0)
    TARGET.mkdir(parents=True, exist_ok=True)
    ids = torch.randint(1, 36, (2, 5))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    image = torch.randn(2, 3, 8, 8)

    clip = CLIPModel(CLIPConfig(text_config=dict(TEXT, eos_token_id=36), vision_config=IMAGE, projection_dim=8))
    scores = lambda model, i, p, m: model(input_ids=i, pixel_values=p, attention_mask=m).logits_per_image
    clip_inputs = dict(input_ids=ids, pixel_values=image, attention_mask=mask)
    export("clip-trace-11", clip, scores, clip_inputs, 11, "trace", "eager")
    export("clip-trace-17", clip, scores, clip_inputs, 17, "trace", "sdpa")

    text = dict(input_ids=ids, attention_mask=mask)
    hidden = lambda model, i, m: model(input_ids=i, attention_mask=m).last_hidden_state
    export("bert-trace-14", BertModel(BertConfig(**TEXT)), hidden, text, 14, "trace", "sdpa")

    llama = LlamaForCausalLM(LlamaConfig(**TEXT, num_key_value_heads=1))
    logits = lambda model, i, m: model(input_ids=i, attention_mask=m, use_cache=False).logits
    export("llama-export-18", llama, logits, text, 18, "export", "sdpa")

    features = lambda model, p: model(pixel_values=p).last_hidden_state
    export("vit-export-23", ViTModel(ViTConfig(**IMAGE)), features, dict(pixel_values=image), 23, "export", "sdpa")


main()

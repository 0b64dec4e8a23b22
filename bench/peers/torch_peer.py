"""PyTorch peer of bench:engine: a Llama-style decoder in plain eager PyTorch, timed on the engine's own numbers.

One argument: a safetensors "case" file that holds everything both sides need, so that equality can be shown before speed:
  weights   Hugging Face Llama names, [out, in]:  model.embed_tokens.weight, model.layers.N.self_attn.q_proj.weight, ...
  adapters  PEFT names:  base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight [r, in], ...lora_B.weight [out, r]
  data      tokens, targets [B, T] int64; prompt [Bg, Tp] int64; noise [N, Bg] float32 uniforms in [0, 1)
  metadata  num_attention_heads, rms_norm_eps, rope_theta, lora_alpha, temperature, top_k  (strings)

Default: checks, then times every workload, and prints one JSON object. With --serve it answers one JSON line per request
line ({"run": "train", "repeats": 3}), so that a driver can interleave the contenders round by round.
Eager PyTorch as one would write it with care: SDPA, F.rms_norm, fused AdamW, a preallocated KV cache, inference_mode.
"""

import argparse
import json
import math
import os
import statistics
import struct
import sys
import time
import warnings

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")

import torch
import torch.nn.functional as F

LINEARS = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
DTYPES = {"F32": torch.float32, "I64": torch.int64}
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.01, "fused": True}


def read_safetensors(path):
    """Tensors and string metadata of a safetensors file (F32 and I64 only)."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.uint8, count=end - start, offset=start)
        tensors[name] = flat.clone().view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


class Decoder:
    """Functional decoder over a dict of tensors; `adapters` adds low-rank terms to the linears it names."""

    def __init__(self, tensors, metadata, max_length):
        self.weights = {name: t for name, t in tensors.items() if name.startswith(("model.", "lm_head."))}
        self.adapters = {}
        self.heads = int(metadata["num_attention_heads"])
        self.eps = float(metadata["rms_norm_eps"])
        self.scale = None
        self.layers = 1 + max(int(n.split(".")[2]) for n in self.weights if n.startswith("model.layers."))
        self.width = self.weights["model.embed_tokens.weight"].shape[1]
        half = self.width // self.heads // 2
        frequency = float(metadata["rope_theta"]) ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.outer(torch.arange(max_length, dtype=torch.float64), frequency)
        self.cos = torch.cat([angle.cos()] * 2, -1).float()  # [T, D]
        self.sin = torch.cat([-angle.sin(), angle.sin()], -1).float()  # sign of rotate_half folded in

    def use_adapters(self, tensors, metadata):
        prefix = "base_model.model."
        self.adapters = {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}
        rank = next(t.shape[0] for n, t in self.adapters.items() if ".lora_A." in n)
        self.scale = float(metadata["lora_alpha"]) / rank

    def linear(self, x, layer, which):
        name = f"model.layers.{layer}.{LINEARS[which]}"
        y = F.linear(x, self.weights[f"{name}.weight"])
        a = self.adapters.get(f"{name}.lora_A.weight")
        if a is None:
            return y
        low = F.linear(x, a).flatten(0, -2)
        b = self.adapters[f"{name}.lora_B.weight"]
        return torch.addmm(y.flatten(0, -2), low, b.t(), alpha=self.scale).view_as(y)

    def norm(self, x, name):
        return F.rms_norm(x, (self.width,), self.weights[name], self.eps)

    def rotate(self, x, start):  # x [B, H, T, D]
        half = x.shape[-1] // 2
        cos, sin = self.cos[start : start + x.shape[2]], self.sin[start : start + x.shape[2]]
        return torch.addcmul(x * cos, torch.cat((x[..., half:], x[..., :half]), -1), sin)

    def hidden(self, tokens, cache=None, start=0):
        """tokens [B, T] to final hidden states [B, T, d]; with a cache, keys and values are written at `start`."""
        batch, length = tokens.shape
        x = F.embedding(tokens, self.weights["model.embed_tokens.weight"])
        for layer in range(self.layers):
            h = self.norm(x, f"model.layers.{layer}.input_layernorm.weight")
            q, k, v = (self.linear(h, layer, w).view(batch, length, self.heads, -1).transpose(1, 2) for w in "qkv")
            q, k = self.rotate(q, start), self.rotate(k, start)
            if cache is not None:
                end = start + length
                cache[layer, 0, :, :, start:end] = k
                cache[layer, 1, :, :, start:end] = v
                k, v = cache[layer, 0, :, :, :end], cache[layer, 1, :, :, :end]
            a = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
            x = x + self.linear(a.transpose(1, 2).reshape(batch, length, self.width), layer, "o")
            h = self.norm(x, f"model.layers.{layer}.post_attention_layernorm.weight")
            h = F.silu(self.linear(h, layer, "gate")) * self.linear(h, layer, "up")
            x = x + self.linear(h, layer, "down")
        return x

    def logits(self, x):
        return F.linear(self.norm(x, "model.norm.weight"), self.weights["lm_head.weight"])

    def loss(self, tokens, targets):
        return F.cross_entropy(self.logits(self.hidden(tokens)).flatten(0, 1), targets.flatten())

    @torch.inference_mode()
    def generate(self, prompt, noise, top_k, temperature):
        """One token per row of noise [N, B] (None: greedy for 64). Returns tokens [N, B] and their log-probs."""
        batch, length = prompt.shape
        steps = 64 if noise is None else noise.shape[0]
        head = self.width // self.heads
        cache = torch.empty(self.layers, 2, batch, self.heads, length + steps, head)
        logits = self.logits(self.hidden(prompt, cache)[:, -1:])[:, 0]
        tokens, logprobs = [], []
        for step in range(steps):
            logits = logits / temperature
            if noise is None:
                token = logits.argmax(-1, keepdim=True)
            else:  # inverse CDF over the k largest logits, largest first
                top, index = logits.topk(top_k, -1)
                below = top.softmax(-1).cumsum(-1) < noise[step][:, None]
                token = index.gather(-1, below.sum(-1, keepdim=True).clamp_(max=top_k - 1))
            tokens.append(token)
            logprobs.append(logits.gather(-1, token) - logits.logsumexp(-1, keepdim=True))
            if step + 1 < steps:
                logits = self.logits(self.hidden(token, cache, length + step))[:, 0]
        return torch.cat(tokens, 1).t(), torch.cat(logprobs, 1).t()


class Peer:
    """The workloads by name; each is a call without arguments that does one whole step."""

    def __init__(self, path, compiled):
        self.tensors, self.metadata = read_safetensors(path)
        t = self.tensors
        self.tokens, self.targets, self.prompt, self.noise = t["tokens"], t["targets"], t["prompt"], t["noise"]
        self.sampling = (int(self.metadata["top_k"]), float(self.metadata["temperature"]))
        self.wrap = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)

    def decoder(self):
        length = max(self.tokens.shape[1], self.prompt.shape[1] + self.noise.shape[0])
        copies = {name: t.clone() for name, t in self.tensors.items()}
        return Decoder(copies, self.metadata, length), copies

    def train_parts(self, lora):
        """Decoder, its trainable tensors by name, and the loss function."""
        decoder, copies = self.decoder()
        if lora:
            decoder.use_adapters(copies, self.metadata)
        trained = decoder.adapters if lora else decoder.weights
        for tensor in trained.values():
            tensor.requires_grad_(True)
        return trained, self.wrap(decoder.loss)

    def train_step(self, lora):
        trained, loss = self.train_parts(lora)
        optimizer = torch.optim.AdamW(trained.values(), **ADAMW)

        def step():
            optimizer.zero_grad(set_to_none=True)
            value = loss(self.tokens, self.targets)
            value.backward()
            optimizer.step()

        return step

    def gradient_step(self):
        trained, loss = self.train_parts(lora=False)
        return lambda: torch.autograd.grad(loss(self.tokens, self.targets), list(trained.values()))

    def forward(self):
        decoder, _ = self.decoder()
        loss = self.wrap(decoder.loss)
        return torch.inference_mode()(lambda: loss(self.tokens, self.targets))

    def generate(self):
        decoder, _ = self.decoder()
        return lambda: decoder.generate(self.prompt, self.noise, *self.sampling)

    def workload(self, name):
        if name == "matmul":
            a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
            return lambda: a @ b
        makers = {
            "train": lambda: self.train_step(lora=False),
            "lora": lambda: self.train_step(lora=True),
            "gradients": self.gradient_step,
            "forward": self.forward,
            "generate": self.generate,
        }
        return makers[name]()

    def equality(self):
        """Numbers to compare with the engine's before any timing."""
        out = {}
        for lora in (False, True):
            trained, loss = self.train_parts(lora)
            value = loss(self.tokens, self.targets)
            gradients = torch.autograd.grad(value, list(trained.values()))
            norms = {n: g.double().norm().item() for n, g in zip(trained, gradients)}
            total = math.sqrt(sum(n * n for n in norms.values()))
            out["lora" if lora else "train"] = {"loss": value.item(), "grad_norm": total, "grad_norms": norms}
        decoder, _ = self.decoder()
        greedy, _ = decoder.generate(self.prompt, None, *self.sampling)
        sampled, logprobs = decoder.generate(self.prompt, self.noise, *self.sampling)
        out["greedy"] = greedy.tolist()  # [N, B]
        out["sampled"] = sampled.tolist()
        out["sampled_logprobs"] = logprobs.tolist()
        return out


WORKLOADS = ("matmul", "forward", "gradients", "train", "lora", "generate")


def time_ms(call, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def summary(times):
    ordered = sorted(times)
    quartile = max(1, len(ordered) // 4)
    return {
        "min_ms": round(ordered[0], 3),
        "median_ms": round(statistics.median(ordered), 3),
        "iqr_ms": round(ordered[-quartile] - ordered[quartile - 1], 3),
        "runs": len(ordered),
    }


def serve(peer):
    """One JSON request per line on stdin, one JSON answer per line on stdout."""
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["run"]
        if name == "equality":
            answer = peer.equality()
        else:
            if name not in ready:
                ready[name] = peer.workload(name)
                time_ms(ready[name], 2)
            cpu = time.process_time()
            answer = {"run": name, "ms": time_ms(ready[name], request.get("repeats", 1))}
            answer["cpu_ms"] = (time.process_time() - cpu) * 1e3  # all repeats, all threads
        print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default=",".join(WORKLOADS))
    parser.add_argument("--compile", action="store_true", help="torch.compile the losses (needs a C++ compiler)")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    peer = Peer(options.case, options.compile)
    if options.serve:
        serve(peer)
        return
    result = {"peer": "pytorch", "version": torch.__version__, "threads": torch.get_num_threads(), "compiled": options.compile}
    result["load_average"] = os.getloadavg()
    result["equality"] = peer.equality()
    names = options.only.split(",")
    ready = {name: peer.workload(name) for name in names}
    times = {name: [] for name in names}
    for call in ready.values():
        time_ms(call, 2)
    for _ in range(options.rounds):  # interleaved, so that a slow phase of the machine hits all of them
        for name, call in ready.items():
            times[name] += time_ms(call, 5 if name == "matmul" else 2)
    result["times"] = {name: summary(values) for name, values in times.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()

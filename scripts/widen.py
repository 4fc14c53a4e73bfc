#!/usr/bin/env python3
"""Makes a model of a device's size that answers as a small one does: scripts/widen.py MODEL GRAFT OUT [--copies 8]

Whether multi-token decoding pays is decided by models that wait for memory, and trained ones of that size do not fit
into a repository. Here every hidden vector h of a small Llama becomes (h, h, ..., h): with W the matrix of all blocks
W / copies, every product, norm, head and logit stays what it was, exactly where the copies are a power of two. Layers
whose output projections are zero and tokens that are never chosen fill the model up to a usual depth and vocabulary.
Rows, bytes and acceptance are then those of a real model, and only its knowledge is a small one's.

OUT/model is a Hub directory, OUT/graft.safetensors the graft widened alike (for `foretoken graft --weights`).
Needs numpy and gguf.
"""
import argparse
import json
import os
import shutil

import numpy as np
from gguf import GGUFReader, dequantize


def read_bf16(path):
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "BF16", name
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        bits = np.frombuffer(data[begin:end], dtype=np.uint16).reshape(entry["shape"])
        tensors[name] = (bits.astype(np.uint32) << 16).view(np.float32)
    return tensors


def bf16(values):
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write(path, tensors, kind, convert, metadata):
    """`tensors` is a list of (name, shape, function that makes the values), so that one is in memory at a time."""
    size = {"BF16": 2, "F32": 4}[kind]
    header, offset = {"__metadata__": metadata}, 0
    for name, shape, _ in tensors:
        end = offset + int(np.prod(shape)) * size
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape, make in tensors:
            values = convert(make())
            assert values.shape == tuple(shape), (name, values.shape, shape)
            file.write(values.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("graft", help="the small model's graft (.gguf)")
    parser.add_argument("out")
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--vocabulary", type=int, default=32000)
    options = parser.parse_args()
    n, folder = options.copies, os.path.join(options.out, "model")
    os.makedirs(folder, exist_ok=True)

    with open(os.path.join(options.model, "config.json")) as file:
        config = json.load(file)
    small = read_bf16(os.path.join(options.model, "model.safetensors"))
    depth, width = config["num_hidden_layers"], config["hidden_size"]

    def matrix(values):
        return np.tile(values / n, (n, n))

    tensors = []

    def add(name, values, rule):
        shape = {"matrix": (values.shape[0] * n, values.shape[-1] * n), "vector": (values.shape[0] * n,)}[rule]
        make = (lambda: matrix(values)) if rule == "matrix" else (lambda: np.tile(values, n))
        tensors.append((name, shape, make))

    # The row that is never chosen: what the model likes least on average, judged by the mean of its own rows.
    table = small["model.embed_tokens.weight"]
    output = small.get("lm_head.weight", table)
    least = output[np.argmin(output @ (table.mean(0) * small["model.norm.weight"]))]
    rows = options.vocabulary
    filled = np.concatenate([output, np.tile(least, (rows - len(output), 1))])
    embedded = np.concatenate([table, np.tile(table.mean(0), (rows - len(table), 1))])
    tensors.append(("model.embed_tokens.weight", (rows, width * n), lambda: np.tile(embedded, (1, n))))
    tensors.append(("lm_head.weight", (rows, width * n), lambda: np.tile(filled / n, (1, n))))
    add("model.norm.weight", small["model.norm.weight"], "vector")
    for layer in range(options.layers):
        for name, values in small.items():
            prefix = f"model.layers.{layer % depth}."
            if not name.startswith(prefix):
                continue
            part = name[len(prefix):]
            silent = layer >= depth and part in ("self_attn.o_proj.weight", "mlp.down_proj.weight")
            add(f"model.layers.{layer}.{part}", values * 0 if silent else values,
                "matrix" if values.ndim == 2 else "vector")
    write(os.path.join(folder, "model.safetensors"), tensors, "BF16", bf16, {"format": "pt"})

    config.update(
        hidden_size=width * n, intermediate_size=config["intermediate_size"] * n, num_hidden_layers=options.layers,
        num_attention_heads=config["num_attention_heads"] * n, vocab_size=rows, tie_word_embeddings=False,
        num_key_value_heads=config["num_key_value_heads"] * n)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(os.path.join(options.model, name), os.path.join(folder, name))

    reader = GGUFReader(options.graft)
    fields = {key.rsplit(".", 1)[-1]: field.contents() for key, field in reader.fields.items()}
    found = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    hub = {
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    graft = [("mask_embedding", np.tile(found["mask_embedding"], (1, n)))]
    first = np.concatenate([matrix(found["sampler.0.token"]), matrix(found["sampler.0.hidden"])], axis=1)
    graft += [("sampler.linear1.weight", first), ("sampler.linear2.weight", matrix(found["sampler.1.hidden"]))]
    for place in (0, 1):
        for ours, theirs in (("norm", "norm{}.weight"), ("norm_bias", "norm{}.bias"), ("bias", "linear{}.bias")):
            if f"sampler.{place}.{ours}" in found:
                graft.append(("sampler." + theirs.format(place + 1), np.tile(found[f"sampler.{place}.{ours}"], n)))
    for layer in range(options.layers):
        for ours, theirs in hub.items():
            a = found[f"blk.{layer % depth}.{ours}.lora_a"]
            b = found[f"blk.{layer % depth}.{ours}.lora_b"] * (layer < depth)
            graft.append((f"layers.{layer}.{theirs}.lora_a", np.tile(a / n, (1, n))))
            graft.append((f"layers.{layer}.{theirs}.lora_b", np.tile(b, (n, 1))))
    write(
        os.path.join(options.out, "graft.safetensors"),
        [(name, values.shape, lambda values=values: values) for name, values in graft], "F32",
        lambda values: np.ascontiguousarray(values, dtype=np.float32),
        {
            "masks": str(int(fields["masks"])), "rank": str(int(fields["rank"])), "alpha": str(float(fields["alpha"])),
            "sampler_norm": fields["norm"], "sampler_residual": str(bool(fields["residual"])).lower(),
            "sampler_epsilon": str(float(fields["epsilon"])),
        })


if __name__ == "__main__":
    main()

"""Lets the reference libraries judge what foretoken writes: python cross_check.py FORETOKEN

Needs numpy, safetensors, gguf and tokenizers, and mlx for its own layout. Exits with 1 and says what differs.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open
from tokenizers import Tokenizer

try:
    import mlx.core as mlx
except ImportError:
    mlx = None

root = pathlib.Path(__file__).resolve().parent.parent.parent
program = sys.argv[1]
passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("cross-check: FAILED:", what)


def run(*arguments):
    result = subprocess.run([program, *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"foretoken {' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout


def safetensors(path):
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def interleaved(rows, heads):
    """llama.cpp's order of a head's rows, from the Hub's."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def containers(folder):
    model = root / "fixtures" / "stories260K"
    source = safetensors(model / "model.safetensors")
    run("convert", model, "-o", folder / "f32.gguf", "--type", "f32")
    found = {tensor.name: tensor for tensor in GGUFReader(folder / "f32.gguf").tensors}
    names = {"q_proj": ("attn_q", 8), "k_proj": ("attn_k", 4), "v_proj": ("attn_v", 0), "down_proj": ("ffn_down", 0)}
    for block in range(5):
        for hub, (short, heads) in names.items():
            part = "mlp" if hub == "down_proj" else "self_attn"
            expected = source[f"model.layers.{block}.{part}.{hub}.weight"]
            expected = interleaved(expected, heads) if heads else expected
            tensor = found[f"blk.{block}.{short}.weight"]
            check(numpy.array_equal(tensor.data.reshape(expected.shape), expected), f"{tensor.name} in GGUF")
    run("convert", folder / "f32.gguf", "-o", folder / "hub", "--to", "safetensors")
    back = safetensors(folder / "hub" / "model.safetensors")
    check(set(back) == set(source), "names after the way to GGUF and back")
    for name in source:
        check(name in back and back[name].tobytes() == source[name].tobytes(), f"{name} after the way back")


def blocks(folder):
    for kind in ["q8_0", "q4_0", "q4_k_m", "q6_k", "q3_k_m", "iq4_nl"]:
        path = folder / f"{kind}.gguf"
        run("quantize", root / "fixtures" / "pycode", "-o", path, "--type", kind)
        run("convert", path, "-o", folder / f"{kind}-f32.gguf", "--type", "f32")
        ours = {tensor.name: tensor for tensor in GGUFReader(folder / f"{kind}-f32.gguf").tensors}
        for tensor in GGUFReader(path).tensors:
            expected = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
            check(expected.tobytes() == ours[tensor.name].data.tobytes(), f"{tensor.name} of {kind}, decoded")


def mlx_layout(folder):
    if mlx is None:
        print("cross-check: skipped MLX's layout, its package is not installed")
        return
    model = root / "fixtures" / "pycode"
    source = mlx.load(str(model / "model.safetensors"))
    for bits, group in [(4, 32), (4, 64), (8, 128)]:
        path = folder / f"mlx-{bits}-{group}"
        kind = ["--type", f"mlx_q{bits}", "--group", group]
        run("quantize", model, "-o", path, *kind)
        run("convert", path, "-o", folder / f"{path.name}-f32", "--to", "safetensors", "--type", "f32")
        ours = safetensors(folder / f"{path.name}-f32" / "model.safetensors")
        theirs, metadata = mlx.load(str(path / "model.safetensors"), return_metadata=True)
        check(metadata.get("format") == "mlx", "format in the metadata of MLX's layout")
        run("quantize", model, "-o", folder / f"{path.name}-nearest", *kind, "--method", "nearest")
        nearest = mlx.load(str(folder / f"{path.name}-nearest" / "model.safetensors"))
        modules = [name[: -len(".scales")] for name in theirs if name.endswith(".scales")]
        check(len(modules) == 29, "embedding and linear modules in MLX's layout")
        for name in modules:
            parts = [theirs[f"{name}.{part}"] for part in ["weight", "scales", "biases"]]
            single = [part if part.dtype == mlx.uint32 else part.astype(mlx.float32) for part in parts]
            expected = numpy.array(mlx.dequantize(*single, group, bits))
            found = ours[f"{name}.weight"]
            check(numpy.allclose(expected, found, rtol=1e-6, atol=1e-7), f"{name} as MLX reads it")
            for part, expected in zip(["weight", "scales", "biases"], mlx.quantize(source[f"{name}.weight"], group, bits)):
                same = mlx.array_equal(expected, nearest[f"{name}.{part}"]).item()
                check(same, f"{name}.{part} of {path.name} by MLX's own rule")


def tokens(folder):
    source = root / "fixtures" / "pycode" / "tokenizer.json"
    reference = Tokenizer.from_file(str(source))
    chance = random.Random(1)
    alphabet = "abc XYZ019_+-*/()[]{}:;'\"\\\n\t éßøλЖ中文日本語한국😀\u200d\u0301\u00a0"
    texts = ["".join(chance.choice(alphabet) for _ in range(chance.randrange(120))) for _ in range(400)]
    (folder / "texts.json").write_text(json.dumps(texts))
    results = json.loads(run("tokenize", source, "--strings", folder / "texts.json", "--json"))["results"]
    for text, result in zip(texts, results):
        check(reference.encode(text, add_special_tokens=False).ids == result["ids"], f"tokens of {text!r}")


with tempfile.TemporaryDirectory() as name:
    containers(pathlib.Path(name))
    blocks(pathlib.Path(name))
    mlx_layout(pathlib.Path(name))
    tokens(pathlib.Path(name))
print(f"cross-check: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)

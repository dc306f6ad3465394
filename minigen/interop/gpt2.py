"""Weights of GPT-2, as Hugging Face or nanoGPT keep them, for the model `gpt`, whose network is the same.

    model = minigen.interop.gpt2("gpt2/model.safetensors", heads=12)
    logits = model(tokens)  # whole numbers (N, T) → (N, T, symbols)

A. Radford et al. (2019), Language models are unsupervised multitask learners. Names there and here:

    wte, wpe            embedding, positions
    h.0.ln_1, ln_2      blocks.0.attention_norm, mlp_norm
    h.0.attn.c_attn     blocks.0.attention.qkv: q, k and v side by side
    h.0.attn.c_proj     blocks.0.attention.out
    h.0.mlp.c_fc        blocks.0.mlp.0
    h.0.mlp.c_proj      blocks.0.mlp.2
    ln_f, lm_head       norm, out (none where it is wte)
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen import random
from minigen.catalog import load_model
from minigen.checks import check_choice, check_count, check_path
from minigen.errors import ArgumentError, CheckpointError
from minigen.files import read_regular
from minigen.interop.layouts import Arrays
from minigen.layers import Module
from minigen.training.saved import load

PARTS = {
    "wte": "embedding",
    "wpe": "positions",
    "ln_f": "norm",
    "lm_head": "out",
    "h.{}.ln_1": "blocks.{}.attention_norm",
    "h.{}.attn.c_attn": "blocks.{}.attention.qkv",
    "h.{}.attn.c_proj": "blocks.{}.attention.out",
    "h.{}.ln_2": "blocks.{}.mlp_norm",
    "h.{}.mlp.c_fc": "blocks.{}.mlp.0",
    "h.{}.mlp.c_proj": "blocks.{}.mlp.2",
}
NO_WEIGHTS = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)")  # the mask of what comes later, kept as a buffer
GELUS = {"gelu": "exact", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}
CONFIG_LIMIT = 2**20  # bytes of config.json, which has about a thousand
# What a config.json may say of the network, beside sizes, which the weights tell.
NEEDED = {
    "model_type": "gpt2",
    "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}


def gpt2(path: str | os.PathLike[str], heads: int | None = None, gelu: str | None = None) -> Module:
    """A trained GPT-2 as the network of the model `gpt`, in evaluation mode; `model.recipe` has its sizes.

    path: a safetensors file, or a folder with model.safetensors. Names and layouts are Hugging Face's
    (`h.0.attn.c_attn.weight` (in, out), with or without "transformer." before) or nanoGPT's (the same names, (out,
    in)). Biases that were left out are 0; without an lm_head, or with one that equals wte, wte is the last matrix, too.
    heads: attentions side by side, which the weights do not tell; None: what config.json beside the file says.
    gelu: "exact" or "tanh"; None: what config.json says, or else GPT-2's tanh for Hugging Face's layout and nanoGPT's
    exact one for its own (before June 2023 it was tanh).

    The text's way to tokens is not part of it: GPT-2's byte pairs need its files of words. Raises ArgumentError when
    heads are said nowhere, CheckpointError for a file that is missing or damaged, for weights of another network (each
    name and shape that differs is listed), or a config.json that asks for what `gpt` does not do.
    """
    file, config = found(check_path("gpt2", path))
    state = {short(name): array for name, array in load(file).items() if not NO_WEIGHTS.fullmatch(short(name))}
    ours, hugging_face, recipe = read(file, state)
    heads = config.get("n_head") if heads is None else heads
    if heads is None:
        raise ArgumentError(
            f"gpt2: how many heads share the width of {recipe['dim']} does not stand in {file.name}; pass heads= "
            f"(GPT-2's are 64 wide: heads={max(recipe['dim'] // 64, 1)}), or put its config.json beside it"
        )
    gelu = gelu or config.get("gelu") or ("tanh" if hugging_face else "exact")
    recipe |= {
        "heads": check_count("gpt2", "heads", heads),
        "gelu": check_choice("gpt2", "gelu", gelu, ("exact", "tanh")),
    }
    model = load_model("gpt")
    network = model.GPT(len(ours["embedding.weight"]), model.Recipe(**recipe), random.generator(0))
    fill(network, ours, file)
    return network.eval()


def found(path: Path) -> tuple[Path, dict[str, Any]]:
    """The file of the weights, and what the config.json beside it says of heads and GELU, if there is one."""
    file = path / "model.safetensors" if path.is_dir() else path
    beside = file.with_name("config.json")
    if not beside.is_file():
        return file, {}
    try:
        config = json.loads(read_regular(beside, CONFIG_LIMIT))
        if not isinstance(config, dict):
            raise TypeError("it must be an object")
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"gpt2: {beside} is damaged ({error}); fetch it again, or move it away") from error
    for name, needed in NEEDED.items():
        if config.get(name, needed) != needed:
            raise CheckpointError(
                f"gpt2: {beside} has {name} = {config[name]!r}, and the model gpt is only for {needed!r}"
            )
    name = config.get("activation_function", "gelu_new")
    if name not in GELUS:
        raise CheckpointError(
            f"gpt2: {beside} has activation_function = {name!r}, and the model gpt has only {', '.join(GELUS)}"
        )
    return file, {"n_head": config.get("n_head"), "gelu": GELUS[name]}


def short(name: str) -> str:
    """A name without what torch.compile and the module around it put before it."""
    return name.removeprefix("_orig_mod.").removeprefix("transformer.")


def read(file: Path, state: Mapping[str, Any]) -> tuple[Arrays, bool, dict[str, Any]]:
    """(weights by our names, in our layouts; whether matrices were (in, out); sizes of the recipe)."""
    shapes = {name: np.shape(array) for name, array in state.items()}
    depth = sum(bool(re.fullmatch(r"h\.\d+\.attn\.c_attn\.weight", name)) for name in state)
    for name in ("wte.weight", "wpe.weight", "h.0.attn.c_attn.weight"):
        if len(shapes.get(name, ())) != 2:
            raise CheckpointError(f"gpt2: {file} has no matrix {name}; it is of another network than GPT-2")
    width = shapes["wte.weight"][1]
    hugging_face = shapes["h.0.attn.c_attn.weight"] == (width, 3 * width)
    head = state.get("lm_head.weight")
    tied = head is None or np.array_equal(head, state["wte.weight"])
    ours = {}
    for name, array in state.items():
        if name == "lm_head.weight" and tied:
            continue
        linear = np.ndim(array) == 2 and ".c_" in name and not hugging_face
        ours[our_name(name)] = array.T if linear or name == "lm_head.weight" else array
    sizes = {"layers": depth, "dim": width, "context": shapes["wpe.weight"][0], "tie": tied}
    return ours, hugging_face, sizes


def our_name(name: str) -> str:
    """Our name for one of theirs; as it is where there is none."""
    part, _, kind = name.rpartition(".")
    number = re.match(r"h\.(\d+)\.", part)
    pattern = part if number is None else part.replace(number[1], "{}", 1)
    return f"{PARTS[pattern].format(number and number[1])}.{kind}" if pattern in PARTS else name


def fill(network: Module, ours: Arrays, file: Path) -> None:
    """Write the weights into the network. Raises CheckpointError, which lists what does not fit."""
    state = network.state_dict()
    if not any(name.endswith("bias") for name in ours):
        ours |= {name: np.zeros_like(array) for name, array in state.items() if name.endswith("bias")}
    problems = [f"missing: {name}" for name in state if name not in ours]
    problems += [f"unexpected: {name}" for name in ours if name not in state]
    problems += [
        f"{name}: {np.shape(ours[name])} given, {array.shape} expected"
        for name, array in state.items()
        if name in ours and np.shape(ours[name]) != array.shape
    ]
    if problems:
        raise CheckpointError(
            f"gpt2: {file} does not fit a GPT-2 of its sizes (names are those of the model gpt)\n  "
            + "\n  ".join(problems)
        )
    network.load_state_dict({name: np.asarray(ours[name], array.dtype) for name, array in state.items()})

"""Weights of GPT-2 and nanoGPT: the model gpt computes with them what a GPT-2 written in PyTorch computes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import interop
from minigen.errors import ArgumentError, CheckpointError, MinigenError
from minigen.models.language import gpt

VOCABULARY, CONTEXT, WIDTH, DEPTH, HEADS = 11, 6, 8, 2, 2
TOKENS = np.random.default_rng(0).integers(0, VOCABULARY, (3, CONTEXT))
Weights = dict[str, np.ndarray]


def shapes(bias: bool) -> dict[str, tuple[int, ...]]:
    """Of all weights, matrices (in, out)."""
    norms = {name: (WIDTH,) for i in range(DEPTH) for name in (f"h.{i}.ln_1", f"h.{i}.ln_2")} | {"ln_f": (WIDTH,)}
    products = {"attn.c_attn": 3, "attn.c_proj": 1, "mlp.c_fc": 4}
    found: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in norms.items()}
    found |= {"wte.weight": (VOCABULARY, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}
    for i in range(DEPTH):
        found |= {f"h.{i}.{name}.weight": (WIDTH, n * WIDTH) for name, n in products.items()}
        found[f"h.{i}.mlp.c_proj.weight"] = (4 * WIDTH, WIDTH)
    if bias:
        found |= {name.replace("weight", "bias"): shape[-1:] for name, shape in found.items() if name[0] != "w"}
    return found


def weights(bias: bool = True) -> Weights:
    """Random ones, far enough from 0 for everything to matter."""
    rng = np.random.default_rng(1)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes(bias).items()}


def expected(w: Weights, gelu: str, head: str = "wte.weight") -> np.ndarray:
    """The logits, by PyTorch: Radford et al. 2019, pre-norm blocks, one matrix for q, k and v."""
    torch = pytest.importorskip("torch")
    F, t = torch.nn.functional, {name: torch.from_numpy(array) for name, array in w.items()}

    def norm(name: str, x: Any) -> Any:
        return F.layer_norm(x, (WIDTH,), t[f"{name}.weight"], t.get(f"{name}.bias"))

    def product(name: str, x: Any) -> Any:
        y = x @ t[f"{name}.weight"]
        return y + t[f"{name}.bias"] if f"{name}.bias" in t else y

    h = t["wte.weight"][torch.from_numpy(TOKENS)] + t["wpe.weight"]
    for i in range(DEPTH):
        qkv = product(f"h.{i}.attn.c_attn", norm(f"h.{i}.ln_1", h))
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in qkv.split(WIDTH, -1))
        hidden = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(-1, -2) / (WIDTH / HEADS) ** 0.5).masked_fill(hidden, -torch.inf)
        h = h + product(f"h.{i}.attn.c_proj", (scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        inner = F.gelu(product(f"h.{i}.mlp.c_fc", norm(f"h.{i}.ln_2", h)), approximate=gelu)
        h = h + product(f"h.{i}.mlp.c_proj", inner)
    return (norm("ln_f", h) @ t[head].T).numpy()


def hugging_face(w: Weights, prefix: str = "") -> Weights:
    """As the hub has them, with the masks that its module keeps."""
    masks = {f"h.{i}.attn.bias": np.tri(CONTEXT, dtype=np.float32)[None, None] for i in range(DEPTH)}
    return {prefix + name: array for name, array in (w | masks).items()}


def nano(w: Weights) -> Weights:
    """As nanoGPT keeps them: matrices (out, in), and the tied one twice, from a compiled module."""
    turned = {name: array.T.copy() if ".c_" in name else array for name, array in w.items()}
    return {
        f"_orig_mod.{'' if name.startswith('lm_head') else 'transformer.'}{name}": array
        for name, array in ({"lm_head.weight": w["wte.weight"].copy()} | turned).items()
    }


def written(folder: Path, state: Weights, **config: Any) -> Path:
    """The folder of such a model; without a config, its file alone."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    save_file(state, folder / "model.safetensors")
    if not config:
        return folder / "model.safetensors"
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def logits(model: Any) -> np.ndarray:
    with mg.no_grad():
        return model(TOKENS).numpy()


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_hugging_face(prefix: str, tmp_path: Path) -> None:
    w = weights()
    model: Any = interop.gpt2(written(tmp_path, hugging_face(w, prefix)), heads=HEADS)
    np.testing.assert_allclose(logits(model), expected(w, "tanh"), rtol=1e-5, atol=1e-5)
    assert not model.training and model.out is None
    recipe = gpt.Recipe(layers=DEPTH, heads=HEADS, dim=WIDTH, context=CONTEXT, gelu="tanh")
    assert model.recipe == recipe
    read = gpt.Reader(model)
    with mg.no_grad():  # what generates text knows it, too
        np.testing.assert_allclose(read(TOKENS[0]), logits(model)[0, -1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_nanogpt(bias: bool, tmp_path: Path) -> None:
    w = weights(bias)
    model = interop.gpt2(written(tmp_path, nano(w)), heads=HEADS)
    np.testing.assert_allclose(logits(model), expected(w, "none"), rtol=1e-5, atol=1e-5)
    old = interop.gpt2(tmp_path, heads=HEADS, gelu="tanh")
    np.testing.assert_allclose(logits(old), expected(w, "tanh"), rtol=1e-5, atol=1e-5)
    assert np.abs(expected(w, "tanh") - expected(w, "none")).max() > 1e-4  # so that the tests above tell them apart


def test_a_head_of_its_own_and_the_config_beside(tmp_path: Path) -> None:
    w = weights()
    w["lm_head.weight"] = w["wte.weight"][::-1].copy()
    model = interop.gpt2(written(tmp_path, w, n_head=HEADS, activation_function="gelu", model_type="gpt2"))
    np.testing.assert_allclose(logits(model), expected(w, "none", "lm_head.weight"), rtol=1e-5, atol=1e-5)


def test_half_precision_becomes_ours(tmp_path: Path) -> None:
    w = {name: array.astype(np.float16) for name, array in weights().items()}
    model = interop.gpt2(written(tmp_path, w), heads=HEADS)
    wide = {name: array.astype(np.float32) for name, array in w.items()}
    np.testing.assert_allclose(logits(model), expected(wide, "tanh"), rtol=1e-5, atol=1e-5)


CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "gptj"}, "model_type = 'gptj', and the model gpt is only for 'gpt2'"),
    ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon = 1e-06, and the model gpt is only for 1e-05"),
    ({"activation_function": "relu"}, "activation_function = 'relu', and the model gpt has only gelu, gelu_new"),
    ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx = True"),
    ({"n_head": 3}, "3 heads can not share a dim of 8"),
    ({"n_head": "2"}, "heads is '2'; use a whole number"),
]


@pytest.mark.parametrize(("config", "words"), CONFIGS)
def test_another_network_is_refused_by_its_config(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(MinigenError, match=words):
        interop.gpt2(written(tmp_path, weights(), **({"n_head": HEADS} | config)))


def test_what_is_missing_or_does_not_fit_is_listed(tmp_path: Path) -> None:
    w = weights()
    with pytest.raises(ArgumentError, match=r"how many heads .* pass heads= \(GPT-2's are 64 wide: heads=1\)"):
        interop.gpt2(written(tmp_path, w))
    del w["h.1.ln_2.bias"]
    w["h.0.attn.rotary"], w["h.0.mlp.c_fc.weight"] = np.zeros(2), np.zeros((WIDTH, 5), np.float32)
    with pytest.raises(CheckpointError) as caught:
        interop.gpt2(written(tmp_path, w), heads=HEADS)
    for words in ("missing: blocks.1.mlp_norm.bias", "unexpected: h.0.attn.rotary", "(8, 5) given, (8, 32) expected"):
        assert words in str(caught.value)
    with pytest.raises(CheckpointError, match=r"no matrix wte.weight; it is of another network"):
        interop.gpt2(written(tmp_path, {"weight": np.zeros(3)}), heads=HEADS)
    with pytest.raises(CheckpointError, match="no file"):
        interop.gpt2(tmp_path / "none.safetensors")
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"config.json is damaged"):
        interop.gpt2(tmp_path)

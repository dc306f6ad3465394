"""Twelve programs as users of PyTorch write them, beside their form here: the same losses, and hardly another line.

Both start from the same weights and data. What differs between the two files of a pair is layout, `rng`, and names that
`minigen.torch_table` has.
"""

import difflib
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import interop
from minigen.torch_table import KEYWORDS, NAMES

HERE = Path(__file__).parent / "programs"
PROGRAMS = sorted(path.stem.removesuffix("_torch") for path in HERE.glob("*_torch.py"))
SEQUENCES = ("lstm", "attention")
FLATTENED = {"cnn": {"fc": (6, 6, 8)}}
# What is rewritten in PyTorch's program, and why: a name of the table, or the layout of arrays.
REWRITTEN = (
    (r"optim\.lr_scheduler\.", "optim.", "lr_scheduler"),
    (r"nn\.utils\.clip_grad_norm_", "optim.clip_grad_norm", "clip_grad_norm_"),
    (r"torch\.autograd\.(Function|grad)\b", r"mg.\1", "Function"),
    (r"dtype=torch\.float32", 'dtype="float32"', "float32"),
    (r"\b(torch|F)\.", "mg.", "functional"),
    ("MultiheadAttention", "MultiHeadAttention", "MultiheadAttention"),
    ("BatchNorm2d", "BatchNorm", "BatchNorm2d"),
    (r"\bdim=", "axis=", "dim"),
    (r"\.pow\(2\)", "**2", "pow"),
    (r"\.float\(\)", "", "float"),
    (r"\.permute\(0, 3, 1, 2\)", "", "layout"),
    (r", batch_first=True", "", "batch_first"),
    (r"checkpoint\.pt", "checkpoint.safetensors", "pt"),
)
# What is taken out of ours: generators of random numbers.
RNG = (
    r", rng=mg\.random\.generator\(0\)",
    r", rng=rng",
    r"\brng=rng",
    r", rng\b",
    r"\brng\b",
    r"mg\.random\.generator\(0\)",
)
# Lines of ours that are otherwise: attention gives no weights of its softmax, buffers are arrays, and an operation of
# one's own is an object with two methods in the place of a class with two static ones.
OTHERWISE = {
    "attention": ["y = self.attention(x)"],
    "custom_module": [
        'self.register_buffer("mean", mg.zeros(features).numpy())',
        "self.mean[:] = 0.9 * self.mean + 0.1 * x.detach().numpy().mean(axis=0)",
    ],
    "custom_function": [
        "def forward(self, x):",
        "self.save_inputs(0)",
        "return x / (1 + np.exp(-x))",
        "def backward(self, grad):",
        "x = self.saved_input(0)",
        "return (grad * s * (1 + x * (1 - s)),)",
        "return self.out(Swish()(self.hidden(x)))",
    ],
}


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 32)
    if name in SEQUENCES:
        return rng.integers(0, 30, (32, 7)), y
    shape = (32, 12, 12, 1) if name == "cnn" else (32, 20)
    return rng.standard_normal(shape).astype(np.float32), y


@pytest.mark.parametrize("name", PROGRAMS)
def test_losses_agree(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    torch.manual_seed(0)
    theirs: Any = importlib.import_module(f"{name}_torch")
    ours: Any = importlib.import_module(f"{name}_minigen")
    twin, model = theirs.build(), ours.build(mg.random.generator(0))
    interop.from_torch(model, twin.state_dict(), flattened=FLATTENED.get(name))
    for path, parameter in twin.named_parameters():
        if "bias_hh" in path:  # a second bias beside the first makes their sum learn twice as fast; here is one
            parameter.requires_grad = False
    x, y = data(name)
    expected, losses = theirs.train(twin, x, y), ours.train(model, x, y)
    assert len(losses) >= 20 and expected[0] != expected[19]
    # Adam's first steps go by the sign of a gradient, which rounding turns where it is about 0.
    np.testing.assert_allclose(losses, expected, rtol=2e-3 if name == "wgan_gp" else 2e-4, atol=1e-5)


def lines(name: str, side: str) -> list[str]:
    """The lines of a program, without its imports, and with all that may differ taken away."""
    text = (HERE / f"{name}_{side}.py").read_text()
    if side == "torch":
        for pattern, here, _ in REWRITTEN:
            text = re.sub(pattern, here, text)
    else:
        for pattern in RNG:
            text = re.sub(pattern, "", text)
    found = [line.strip() for line in text.splitlines()]
    return [line for line in found if line and not line.startswith(("import ", "from "))]


@pytest.mark.parametrize("name", PROGRAMS)
def test_only_layout_rng_and_names_of_the_table_differ(name: str) -> None:
    found = difflib.ndiff(lines(name, "torch"), lines(name, "minigen"))
    assert [line[2:] for line in found if line.startswith("+ ")] == OTHERWISE.get(name, [])


def test_what_is_rewritten_stands_in_the_table() -> None:
    named = {name for names in NAMES.values() for name in names} | set(KEYWORDS) | {"layout", "pt"}
    assert {why for *_, why in REWRITTEN} <= named


def test_there_are_twelve() -> None:
    assert len(PROGRAMS) == 12

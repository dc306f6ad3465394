"""docs/from_pytorch.md: its tables are those of `minigen.torch_table`, and its example runs.

`python tests/test_from_pytorch.py` writes the page anew.
"""

import re
from pathlib import Path

import pytest

from minigen.torch_table import KEYWORDS, NAMES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "from_pytorch.md"
HEAD = """# Coming from PyTorch

Names and argument orders follow PyTorch's where they can. What differs most:

| | PyTorch | minigen |
|---|---|---|
| images | (N, C, H, W) | (N, H, W, C) |
| weights of a convolution | (out, in, KH, KW) | (KH, KW, in, out) |
| weights of a Linear | (out, in) | (in, out) |
| sequences | (T, N, C), or batch_first | (N, T, C) always |
| biases of a recurrent layer | two, whose sum learns twice as fast | one |
| random numbers | a global generator | `rng=`, a generator that you make: `mg.random.generator(seed)` |
| axes of an operation | dim, keepdim | axis, keepdims, as in NumPy |
| `std`, `var` | n - 1, unless unbiased=False | n, as in NumPy; ddof=1 for n - 1 |
| `max`, `min` over an axis | values and places | the values; `argmax`, `argmin` give the places |
| `squeeze(axis)` of a longer axis | nothing happens | ShapeError |
| `pad` | flat, the last axis first | a pair for each axis, as in NumPy |
| masks of attention | of pairs, additive or True where hidden | of keys (N, Tk), True where seen; or `is_causal=True` |
| `scaled_dot_product_attention` | (N, heads, T, D) | (N, T, heads · D), and heads as the fourth argument |
| `layer_norm`, `rms_norm` | (x, shape, weight, bias) | (x, weight, bias): the last axis |
| `batch_norm` | (x, mean, var, weight, bias) | (x, weight, bias, mean, var) |
| `ctc_loss` | (T, N, C) | (N, T, C) |
| `cross_entropy` of more axes | (N, K, …) | (…, K), the classes last |
| `Upsample(2)` | to a size of 2 | by a factor of 2 |
| `CosineLR` after its last step | CosineAnnealingLR rises again | stays at min_lr |
| `x += y` | writes into x | writes into x when nothing is recorded, as under `no_grad()`; else x becomes a new tensor |
| `p.data`, `state_dict()`, batches | tensors | NumPy arrays: `p.data -= lr * p.grad.data`, `mg.tensor(batch)` |
| `Function` | static, ctx, apply | an instance a call, `F()(x)`: options in `__init__`, `self.save_inputs(…)` |
| files of weights | pickles (.pt) | safetensors |
| devices | to(device) | the CPU alone |

`from minigen import layers as nn` and `from minigen import optim` leave most lines as they are: tests/porting holds
twelve programs in both forms.

## Weights

`mg.save(model, "model.safetensors")` writes a module's weights, an optimizer's state, or a dict of such;
`model.load_state_dict(mg.load("model.safetensors"))` puts them back. Pickles are refused, since they run the code that
they hold: in PyTorch, `safetensors.torch.save_file(model.state_dict(), "model.safetensors")` writes a file that
`mg.load` reads. Its arrays lie in PyTorch's layouts, so they go through `mg.interop.from_torch(model, mg.load(…))`
and not into `load_state_dict`, which would take a square weight as it is.

`from_torch` turns names and layouts of a PyTorch `state_dict`, `to_torch` turns them back:

```python
import torch
import minigen as mg

there = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 26 * 26, 10)
)
rng = mg.random.generator(0)
here = mg.layers.Sequential(
    mg.layers.Conv2d(1, 8, 3, rng=rng),
    mg.layers.ReLU(),
    mg.layers.Flatten(),
    mg.layers.Linear(8 * 26 * 26, 10, rng=rng),
)
mg.interop.from_torch(here, there.state_dict(), flattened={"3": (26, 26, 8)})

x = mg.rand(2, 28, 28, 1, rng=rng)
same = there(torch.from_numpy(x.numpy()).permute(0, 3, 1, 2))
assert mg.allclose(here(x), same.detach().numpy(), atol=1e-5)

arrays = mg.interop.to_torch(here, flattened={"3": (26, 26, 8)})
there.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
```

`flattened` gives the shape (H, W, C) of the image that a Linear reads, since its features follow (C, H, W) there;
`unflattened` that of the image that a Linear makes. Where a Linear stands beside a convolution, a Flatten or a Reshape
and neither is given, an error says so (`flattened={}`: there are no images). A TransformerBlock computes what a
TransformerEncoderLayer does with norm_first=True and activation="gelu", and nothing in its weights tells. `names` says
which parts are called otherwise: `names={"encoder.layers": "blocks"}`.

## Names

Each of these is an error that says what stands here; keywords in functions and layers that have options of their own
(`mg.relu(x, inplace=True)` is Python's plain TypeError).
"""


def page() -> str:
    """The whole text: what differs, and every name of the table."""
    lines = [HEAD, "## Names", "", "Each of these is an error that says what stands here.", ""]
    for place, names in NAMES.items():
        lines += [f"### {place}", "", "| PyTorch | Here |", "|---|---|"]
        lines += [f"| `{name}` | {escaped(here)} |" for name, here in names.items()] + [""]
    lines += ["### Keywords", "", "| PyTorch | Here |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}=` | {escaped(here)} |" for name, here in KEYWORDS.items()), ""])


def escaped(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|").replace("**", "\\*\\*")


def test_the_page_has_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_example_runs() -> None:
    pytest.importorskip("torch")
    (example,) = re.findall(r"```python\n(.*?)```", HEAD, re.DOTALL)
    exec(compile(example, "docs/from_pytorch.md", "exec"), {})


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

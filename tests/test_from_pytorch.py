"""docs/from_pytorch.md: its tables are those of `minigen.torch_table`, and its examples run.

`python tests/test_from_pytorch.py` writes the page anew.
"""

import re
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from minigen.interop.gpt2 import PARTS
from minigen.models.language import gpt
from minigen.random import generator
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

| Layer | here | PyTorch |
|---|---|---|
| Linear | (in, out) | (out, in) |
| Conv1d, Conv2d, Conv3d | (K…, in, out) | (out, in, K…) |
| ConvTranspose1d, ConvTranspose2d | (K…, out, in) | (in, out, K…) |
| RNN, LSTM, GRU and their cells | `w_x`, `w_h`, one bias | `weight_ih`, `weight_hh`, two biases, whose sum it is |
| MultiHeadAttention | `qkv`, `out` | `in_proj_weight`, `in_proj_bias`, `out_proj` |
| `spectral_norm`, `weight_norm` | laid out as the weight | the same, by `torch.nn.utils.parametrizations` |
| norms, PReLU, Embedding | as they are | the same; norms beside a Linear that is named above are turned with it |

Weights that go there and back are the same to the bit; of a spectral norm, u and v go along, too, but in training each
side takes its steps of power iteration in its own order.

## GPT-2

```python
import numpy as np
import minigen as mg

model = mg.interop.gpt2("gpt2/model.safetensors", heads=12)
logits = model(np.array([[464, 3280, 318]]))
assert logits.shape == (1, 3, len(model.embedding.weight))
```

The file is one of Hugging Face's, or of nanoGPT's weights after `safetensors.torch.save_file`; sizes are read from its
shapes, heads from a config.json beside it if there is one. The model is that of `minigen train gpt`, so
`minigen.models.language.gpt.Reader` writes with it. GPT-2's tokens are byte pairs, which minigen does not make: bring
them as numbers.

## Functions and modules of the other side

```python
import torch
import minigen as mg

theirs = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
critic = mg.interop.from_torch_function(theirs)
optimizer = mg.optim.Adam(critic.parameters())
x = mg.randn(4, 2, rng=mg.random.generator(0))
x.requires_grad_()
(gx,) = mg.grad(critic(x).sum(), [x], create_graph=True)
((gx * gx).sum(1) - 1.0).square().mean().backward()  # a gradient penalty, on PyTorch's layers
optimizer.step()

layer = mg.interop.to_torch_function(mg.layers.LSTM(8, 16, rng=mg.random.generator(0)))
y, (h, c) = layer(torch.randn(2, 5, 8))
y.sum().backward()  # into layer.parameters(), for an optimizer of PyTorch
```

`from_torch_function(f)` takes and gives minigen's tensors, and is a Module; `to_torch_function(f)` takes and gives
PyTorch's, and of a Module is a `torch.nn.Module`. Gradients of every order flow through both, and parameters and
buffers share their memory, so that whoever trains them trains the original. Layouts stay what they are: images go
channels-first into what is PyTorch's. Arguments by position are tensors, those by name go on as they are.

## Arrays without a copy

```python
import numpy as np
import torch
import minigen as mg

x = mg.zeros(3)
torch.from_dlpack(x)[0] = 1.0
np.from_dlpack(x)[1] = 2.0
assert x.tolist() == [1, 2, 0]
y = mg.from_dlpack(torch.arange(3.0))  # or an array of NumPy, or of JAX on the CPU
```

Both sides see one memory, with its strides; nothing is copied. A tensor that requires a gradient is refused, as
PyTorch does: `x.detach()`. What may not be written into, as an array of JAX, stays so here. Writes from the other side
are not seen by the graph.

## Names

Each of these is an error that says what stands here; keywords in functions and layers that have options of their own
(`mg.relu(x, inplace=True)` is Python's plain TypeError).
"""


def page() -> str:
    """The whole text: what differs, and every name of the table."""
    lines = [HEAD]
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


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", HEAD, re.DOTALL), ids=lambda text: text[-40:])
def test_the_examples_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "import torch" in example:
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    if "gpt2(" in example:
        write_gpt2(tmp_path / "gpt2")
    exec(compile(example, "docs/from_pytorch.md", "exec"), {})


def write_gpt2(folder: Path) -> None:
    """A GPT-2 with its vocabulary, but a width of 24, by Hugging Face's names."""
    model = gpt.GPT(50257, gpt.Recipe(layers=1, heads=12, dim=24, context=8), generator(0))
    theirs = {ours.format(0): name.format(0) for name, ours in PARTS.items()}
    folder.mkdir()
    parts = [(*name.rpartition("."), array) for name, array in model.state_dict().items()]
    save_file({f"{theirs[part]}.{kind}": array for part, _, kind, array in parts}, folder / "model.safetensors")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

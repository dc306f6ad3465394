"""Modules as ONNX: run by onnxruntime they give what the module gives, for any batch; what can not be is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.cli import main
from minigen.errors import ArgumentError
from minigen.interop import to_onnx
from minigen.models.latent import vae
from minigen.random import generator

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx_ir")

RNG = generator(0)


def draw(*shape: int) -> np.ndarray:
    return generator(1).standard_normal(shape).astype(np.float32)


class Of(layers.Module):
    """A function as a module, with one weight."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.weight = layers.Parameter(np.linspace(0.5, 1.5, 4, dtype=np.float32))

    def forward(self, *inputs: Any) -> Any:
        return self.function(self.weight, *inputs)


def conv(*args: Any, **options: Any) -> layers.Module:
    return layers.Conv2d(*args, **options, rng=generator(2))


IMAGES, ROWS = draw(2, 9, 8, 4), draw(2, 5, 4)
MODULES: dict[str, tuple[Callable[[], layers.Module], np.ndarray]] = {
    "linear": (lambda: layers.Linear(4, 3, rng=RNG), ROWS),
    "fused": (lambda: layers.Sequential(layers.Linear(4, 3, rng=RNG), layers.LeakyReLU(0.1)), ROWS),
    "conv": (lambda: conv(4, 6, 3, stride=2, padding=1), IMAGES),
    "conv, groups, dilation": (lambda: conv(4, 6, 3, dilation=2, groups=2, bias=False), IMAGES),
    "conv, same": (lambda: conv(4, 6, (2, 3), padding="same"), IMAGES),
    "conv, reflect": (lambda: conv(4, 6, 3, padding=1, padding_mode="reflect"), IMAGES),
    "transposed": (*(lambda: layers.ConvTranspose2d(4, 3, 5, stride=2, padding=2, output_padding=1, rng=RNG), IMAGES),),
    "transposed, groups": (lambda: layers.ConvTranspose2d(4, 6, (3, 2), stride=(1, 2), groups=2, rng=RNG), IMAGES),
    "batch norm": (lambda: trained_norm(), IMAGES),
    "norms": (lambda: layers.Sequential(layers.GroupNorm(2, 4), layers.LayerNorm(4), layers.RMSNorm(4)), IMAGES),
    "instance norm": (lambda: layers.InstanceNorm(4), IMAGES),
    "pools": (lambda: layers.Sequential(layers.MaxPool2d(2), layers.AvgPool2d(2, 1, 1)), IMAGES),
    "activations": (
        lambda: layers.Sequential(layers.GELU(), layers.SiLU(), layers.ELU(), layers.Softplus(), layers.Tanh()),
        ROWS,
    ),
    "softmax": (lambda: layers.Sequential(layers.Softmax(), layers.LogSoftmax(), layers.Sigmoid()), ROWS),
    "dropout": (lambda: layers.Sequential(layers.Dropout(0.5, rng=RNG), layers.Flatten()), ROWS),
    "rnn": (lambda: layers.RNN(4, 3, rng=RNG), ROWS),
    "lstm, two layers": (lambda: layers.LSTM(4, 3, 2, rng=RNG), ROWS),
    "gru, both ways": (lambda: layers.GRU(4, 3, bidirectional=True, rng=RNG), ROWS),
    "attention": (lambda: layers.MultiHeadAttention(4, 2, rng=RNG), ROWS),
    "transformer": (lambda: layers.TransformerBlock(4, 2, rng=RNG), ROWS),
    "embedding": (lambda: layers.Embedding(9, 4, rng=RNG), np.array([[1, 8, 3], [4, 5, 0]])),
    "indices": (lambda: Of(lambda w, x: x[:, 1:, ::-1][..., None, 0] * w[-1] + x[:, [2, 0, 1, 1]][:, :, -1:]), ROWS),
    "shapes": (lambda: Of(lambda w, x: mg.concatenate([x, x * w], 1).transpose(1, 0, 2).reshape(10, -1)), ROWS),
    "sums": (lambda: Of(lambda w, x: (x * w).mean(1) + x.max((1, 2), keepdims=True)[:, 0] - x.sum(-1)[:, :1]), ROWS),
    "choices": (lambda: Of(lambda w, x: mg.maximum(x, w) + mg.minimum(x, 0.1) + mg.clip(x, -1, None) ** 3), ROWS),
    "one hot": (lambda: Of(lambda w, y: mg.one_hot(y, 4).astype(w.dtype) * w), np.array([3, 0])),
    "up": (lambda: Of(lambda w, x: mg.upsample_nearest(mg.pad(x, [(0, 0), (1, 0), (0, 2), (0, 0)]), 2)), IMAGES),
    "sized by the batch": (lambda: Of(lambda w, x: mg.zeros(len(x), 4) + w + x[:, 0]), ROWS),
    "several": (lambda: Of(lambda w, x: (x * w, [x.sum(2), -x])), ROWS),
}


def trained_norm() -> layers.Module:
    norm = layers.BatchNorm(4)
    norm(mg.tensor(3 * draw(5, 4) + 1))
    return norm


@pytest.mark.parametrize("name", MODULES)
def test_a_module_gives_the_same_there(name: str, tmp_path: Path):
    make, x = MODULES[name]
    module = make().train()
    path = tmp_path / "m.onnx"
    assert to_onnx(path, module, x) < 1e-5
    assert module.training
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for n in (1, 7):  # not those of the traces, nor of the check
        fresh = np.concatenate([x] * 4)[:n]
        results = session.run(None, {"x": fresh})
        with mg.no_grad():
            given = mg.tensor(fresh) if fresh.dtype.kind == "f" else fresh
            expected: Any = module.eval()(given)
        first = expected
        while not isinstance(first, mg.Tensor):
            first = first[0]
        np.testing.assert_allclose(results[0], first.numpy(), atol=2e-5)


def test_parameters_keep_their_names_and_the_batch_is_open(tmp_path: Path):
    import onnx_ir as ir

    model = layers.Sequential(layers.Flatten(), layers.Linear(20, 3, rng=RNG))
    to_onnx(tmp_path / "m.onnx", model, ROWS, names=["rows"])
    graph = ir.load(tmp_path / "m.onnx").graph
    assert {"1.weight", "1.bias"} <= set(graph.initializers)
    assert str(graph.inputs[0].shape) == "[batch,5,4]" and graph.inputs[0].name == "rows"
    assert str(graph.outputs[0].shape) == "[batch,3]"


def test_a_state_with_its_batch_elsewhere_and_an_input_without(tmp_path: Path):
    module = layers.LSTM(4, 3, 2, rng=RNG)

    def step(w: Any, x: Any, h: Any, c: Any, scale: Any) -> Any:
        y, (h, c) = module(x * scale, (h, c))
        return y, h, c

    state = draw(2, 2, 3)
    wrapped = Of(step)
    wrapped.inner = module
    deviation = to_onnx(
        tmp_path / "m.onnx", wrapped, ROWS[:, :1], state, state, np.ones(4, np.float32), batch=[0, 1, 1, None]
    )
    assert deviation < 1e-5


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w, x: mg.tensor(np.sin(x.numpy())), "made in NumPy"),
        (lambda w, x: x * float(x.numpy().max()), "by way of NumPy"),
        (lambda w, x: x * w if len(x) == 2 else x + w, "otherwise for another batch"),
        (lambda w, x: mg.tan(x), "Tan has no translation"),
        (lambda w, x: x.numpy(), "gives ndarray"),
        (lambda w, x: x * w if x.numpy()[0, 0, 0] == ROWS[0, 0, 0] else -x, "from the module on other numbers"),
    ],
)
def test_what_can_not_be_exported_is_said_and_nothing_is_written(
    function: Callable[..., Any], words: str, tmp_path: Path
):
    with pytest.raises(ArgumentError, match=words):
        to_onnx(tmp_path / "m.onnx", Of(function), ROWS)
    assert not list(tmp_path.iterdir())


def test_bad_arguments(tmp_path: Path):
    module = layers.Linear(4, 3, rng=RNG)
    with pytest.raises(ArgumentError, match=r"\.onnx"):
        to_onnx(tmp_path / "m.bin", module, ROWS)
    with pytest.raises(ArgumentError, match="an example"):
        to_onnx(tmp_path / "m.onnx", module)
    with pytest.raises(ArgumentError, match="2 names"):
        to_onnx(tmp_path / "m.onnx", module, ROWS, names=["a", "b"])


@pytest.mark.parametrize(
    "what",
    ["classifier", "vae", "vae --part encoder", "dcgan", "dcgan --part discriminator", "cgan", "gpt"],
)
def test_shipped_models_are_exported_by_the_command(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "model.onnx"
    assert main(["export", *what.split(), "-o", str(path)]) == 0
    assert f"{path}: " in capsys.readouterr().out and path.stat().st_size > 10_000


def test_a_decoder_gives_images(tmp_path: Path):
    assert main(["export", "vae", "-o", str(tmp_path / "m.onnx")]) == 0
    session = runtime.InferenceSession((tmp_path / "m.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    z = draw(3, 10)
    (found,) = session.run(None, {"z": z})
    np.testing.assert_allclose(found, vae.decode(mg.load("vae"), z), atol=1e-5)


def test_the_command_says_which_parts_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["export", "dcgan", "--part", "decoder"]) == 2
    assert "generator, discriminator" in capsys.readouterr().err
    assert main(["export", "glove"]) == 2
    assert "glove has no part" in capsys.readouterr().err

"""Weights from and to PyTorch: the same outputs on both sides, for every layer that both have."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import interop, layers
from minigen.errors import ArgumentError, CheckpointError, ShapeError

torch = pytest.importorskip("torch")
nn = torch.nn
RNG = mg.random.generator(0)


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def channels_first(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, -1, 1)


def last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def same(x: np.ndarray) -> np.ndarray:
    return x


CASES: dict[str, tuple[Any, Any, Any, Any, Any]] = {
    "Linear": (layers.Linear(3, 5, rng=RNG), nn.Linear(3, 5), draw(4, 3), same, same),
    "Linear without bias": (
        layers.Linear(3, 5, bias=False, rng=RNG),
        nn.Linear(3, 5, bias=False),
        draw(4, 3),
        same,
        same,
    ),
    "Conv2d": (
        layers.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2, rng=RNG),
        nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2),
        draw(2, 7, 8, 4),
        channels_first,
        last,
    ),
    "ConvTranspose2d": (
        layers.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, rng=RNG),
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        draw(2, 5, 4, 4),
        channels_first,
        last,
    ),
    "BatchNorm": (layers.BatchNorm(4), nn.BatchNorm2d(4), draw(5, 3, 2, 4), channels_first, last),
    "LayerNorm": (layers.LayerNorm(4), nn.LayerNorm(4), draw(5, 3, 4), same, same),
    "Embedding": (layers.Embedding(7, 3, rng=RNG), nn.Embedding(7, 3), np.array([[1, 2], [6, 0]]), same, same),
    "MultiHeadAttention": (
        layers.MultiHeadAttention(8, 2, rng=RNG),
        nn.MultiheadAttention(8, 2, batch_first=True),
        draw(2, 5, 8),
        same,
        same,
    ),
    "TransformerBlock": (
        layers.Sequential(layers.TransformerBlock(8, 2, rng=RNG)),
        nn.Sequential(nn.TransformerEncoderLayer(8, 2, 32, 0.0, activation="gelu", batch_first=True, norm_first=True)),
        draw(2, 5, 8),
        same,
        same,
    ),
}
for kind in ("RNN", "LSTM", "GRU"):
    CASES[kind] = (
        getattr(layers, kind)(3, 4, num_layers=2, bidirectional=True, rng=RNG),
        getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        draw(2, 5, 3),
        same,
        same,
    )

    CASES[f"{kind}Cell"] = (
        getattr(layers, f"{kind}Cell")(3, 4, rng=RNG),
        getattr(nn, f"{kind}Cell")(3, 4),
        draw(5, 3),
        same,
        same,
    )


def output(result: Any) -> np.ndarray:
    result = result[0] if isinstance(result, tuple) else result
    return result.detach().numpy()


def twin_output(twin: Any, x: np.ndarray) -> np.ndarray:
    given = torch.from_numpy(np.ascontiguousarray(x))
    return output(twin(given, given, given) if isinstance(twin, nn.MultiheadAttention) else twin(given))


def torch_tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("case", CASES)
def test_outputs_agree_after_turning_weights_both_ways(case: str) -> None:
    module, twin, x, to, back = CASES[case]
    for parameter in twin.parameters():  # fresh norms and biases would hide an exchange
        torch.nn.init.normal_(parameter, std=0.5)
    if case == "BatchNorm":
        twin.running_mean.normal_()
        twin.running_var.uniform_(0.5, 2)
    module.eval()
    twin.eval()
    expected = back(twin_output(twin, to(x)))
    assert interop.from_torch(module, twin.state_dict()) is module
    np.testing.assert_allclose(output(module(x)), expected, rtol=1e-5, atol=2e-6)
    with mg.no_grad():
        for parameter in module.parameters():
            parameter.copy_(np.random.default_rng(2).standard_normal(parameter.shape))
    twin.load_state_dict(torch_tensors(interop.to_torch(module)))
    np.testing.assert_allclose(output(module(x)), back(twin_output(twin, to(x))), rtol=1e-4, atol=1e-5)


class Net(layers.Module):
    """A convolution, whose picture a Linear reads and another makes again."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = layers.Parameter(draw(1))
        self.conv = layers.Conv2d(1, 4, 3, rng=RNG)
        self.down = layers.Linear(2 * 3 * 4, 5, rng=RNG)
        self.up = layers.Linear(5, 2 * 3 * 4, rng=RNG)
        self.deconv = layers.ConvTranspose2d(4, 1, 3, rng=RNG)

    def forward(self, x: Any) -> Any:
        h = mg.relu(self.conv(x)).reshape(len(x), -1)
        h = self.up(mg.relu(self.down(h))).reshape(len(x), 2, 3, 4)
        return self.deconv(h) * self.scale


class TorchNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(2 * 3 * 4, 5)
        self.up = nn.Linear(5, 2 * 3 * 4)
        self.deconv = nn.ConvTranspose2d(4, 1, 3)

    def forward(self, x: Any) -> Any:
        h = torch.relu(self.conv(x)).reshape(len(x), -1)
        h = self.up(torch.relu(self.fc(h))).reshape(len(x), 4, 2, 3)
        return self.deconv(h) * self.scale


SHAPES = {"flattened": {"down": (2, 3, 4)}, "unflattened": {"up": (2, 3, 4)}, "names": {"fc": "down"}}


def test_flattened_images_and_other_names() -> None:
    module, twin, x = Net(), TorchNet(), draw(3, 4, 5, 1)
    interop.from_torch(module, twin.state_dict(), **SHAPES)
    expected = last(twin_output(twin, channels_first(x)))
    np.testing.assert_allclose(output(module(x)), expected, rtol=1e-5, atol=1e-6)
    fresh = TorchNet()
    fresh.load_state_dict(torch_tensors(interop.to_torch(module, **SHAPES)))
    np.testing.assert_allclose(last(twin_output(fresh, channels_first(x))), expected, rtol=1e-5, atol=1e-6)


def test_a_flattened_image_is_never_guessed() -> None:
    with pytest.raises(ArgumentError, match=r'24 features of down .* flattened=\{"down": \(H, W, C\)\}'):
        interop.from_torch(Net(), TorchNet().state_dict(), names={"fc": "down"})
    with pytest.raises(ArgumentError, match="24 features of down"):
        interop.to_torch(Net())
    with pytest.raises(ShapeError, match=r"down has 24 features, which \(4, 4, 4\)"):
        interop.to_torch(Net(), flattened={"down": (4, 4, 4)})
    with pytest.raises(ArgumentError, match="conv is no Linear; there are down, up"):
        interop.to_torch(Net(), flattened={"conv": (2, 3, 4)})


def test_what_does_not_fit_is_listed_and_nothing_is_changed() -> None:
    module = layers.Sequential(layers.Linear(2, 3, rng=RNG), layers.ReLU(), layers.Linear(3, 1, rng=RNG))
    before = module.state_dict()
    state = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(4, 1)).state_dict()
    state["head.weight"] = state.pop("0.bias")
    with pytest.raises(CheckpointError) as caught:
        interop.from_torch(module, state)
    for words in ("missing: 0.bias", "unexpected: head.weight", "2.weight: (1, 4) given, (1, 3) expected"):
        assert words in str(caught.value)
    assert all(np.array_equal(array, before[name]) for name, array in module.state_dict().items())
    with pytest.raises(ArgumentError, match="nothing is called body"):
        interop.from_torch(module, state, names={"body": "0"})
    with pytest.raises(CheckpointError, match="pass the dict of state_dict"):
        interop.from_torch(module, [1])  # pyright: ignore[reportArgumentType]


def test_a_norm_that_counts_its_batches_keeps_the_count() -> None:
    module, twin = layers.BatchNorm(3, momentum=None), nn.BatchNorm1d(3, momentum=None)
    for x in (draw(4, 3), draw(4, 3) + 1):
        module(x)
    twin.load_state_dict(torch_tensors(interop.to_torch(module)))
    np.testing.assert_allclose(twin(torch.from_numpy(draw(4, 3))).detach().numpy(), module(draw(4, 3)).data, rtol=1e-5)
    np.testing.assert_allclose(twin.running_mean.numpy(), module.running_mean, rtol=1e-5)
    bare = layers.BatchNorm(3, track_running_stats=False)
    nn.BatchNorm1d(3, track_running_stats=False).load_state_dict(torch_tensors(interop.to_torch(bare)))


def test_computed_weights_are_refused() -> None:
    model = layers.Sequential(layers.weight_norm(layers.Linear(3, 3, rng=RNG)))
    with pytest.raises(ArgumentError, match=r"0\.: its weights are computed .* call remove_parametrizations"):
        interop.to_torch(model)


def test_arrays_other_dtypes_and_parts_left_out() -> None:
    module = layers.Linear(2, 3, rng=RNG)
    state: dict[str, Any] = {"body.weight": np.ones((3, 2)), "body.bias": torch.ones(3, dtype=torch.bfloat16)}
    state["head.weight"] = np.ones(1)
    interop.from_torch(layers.Sequential(module), state, names={"body": "0", "head": None})
    assert module.weight.dtype == np.float32 and module.weight.data.sum() == 6 and module.bias is not None
    assert module.bias.data.tolist() == [1, 1, 1]

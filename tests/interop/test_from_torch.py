"""Weights from and to PyTorch: the same outputs on both sides, for every layer that both have."""

import copy
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import interop, layers
from minigen.errors import ArgumentError, CheckpointError, ShapeError
from minigen.layers.samples import SAMPLES, LayerSample

torch = pytest.importorskip("torch")
nn = torch.nn
RNG = mg.random.generator(0)


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def channels_first(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, -1, 1)


def last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


Case = tuple[Any, Any, np.ndarray, bool]  # ours, PyTorch's, x, and whether its channels are first there


def case(ours: Any, theirs: Any, *shape: int, images: bool = False) -> Case:
    """Both layers, and an x of that shape."""
    return ours, theirs, draw(*shape), images


def drawn(kind: str, *options: Any, name: str = "", shape: tuple[int, ...], images: bool = True, **named: Any) -> Case:
    """A layer that takes an rng here, with the same options there."""
    twin = getattr(nn, name or kind)(*options, **named)
    return case(getattr(layers, kind)(*options, **named, rng=RNG), twin, *shape, images=images)


norms = nn.utils.parametrizations
CASES: dict[str, Case] = {
    "Linear": drawn("Linear", 3, 5, shape=(4, 3), images=False),
    "Linear without bias": drawn("Linear", 3, 5, bias=False, shape=(4, 3), images=False),
    "Conv1d": drawn("Conv1d", 4, 6, 3, stride=2, padding=1, groups=2, shape=(2, 7, 4)),
    "Conv2d": drawn("Conv2d", 4, 6, (3, 2), stride=2, padding=1, groups=2, shape=(2, 7, 8, 4)),
    "Conv3d": drawn("Conv3d", 2, 3, (2, 3, 1), padding=(1, 0, 0), shape=(2, 3, 4, 5, 2)),
    "ConvTranspose1d": drawn("ConvTranspose1d", 4, 6, 3, stride=2, output_padding=1, groups=2, shape=(2, 5, 4)),
    "ConvTranspose2d": drawn(
        "ConvTranspose2d", 4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, shape=(2, 5, 4, 4)
    ),
    "BatchNorm": case(layers.BatchNorm(4), nn.BatchNorm2d(4), 5, 3, 2, 4, images=True),
    "BatchNorm without weights": case(layers.BatchNorm(4, affine=False), nn.BatchNorm1d(4, affine=False), 5, 4),
    "LayerNorm": case(layers.LayerNorm(4), nn.LayerNorm(4), 5, 3, 4),
    "LayerNorm without bias": case(layers.LayerNorm(4, bias=False), nn.LayerNorm(4, bias=False), 5, 3, 4),
    "GroupNorm": case(layers.GroupNorm(2, 4), nn.GroupNorm(2, 4), 2, 3, 2, 4, images=True),
    "InstanceNorm": case(
        layers.InstanceNorm(4, affine=True), nn.InstanceNorm2d(4, affine=True), 2, 3, 2, 4, images=True
    ),
    "RMSNorm": case(layers.RMSNorm(4), nn.RMSNorm(4), 5, 3, 4),
    "PReLU": case(layers.PReLU(4), nn.PReLU(4), 2, 3, 2, 4, images=True),
    "Embedding": (layers.Embedding(7, 3, rng=RNG), nn.Embedding(7, 3), np.array([[1, 2], [6, 0]]), False),
    "MultiHeadAttention": case(
        layers.MultiHeadAttention(8, 2, rng=RNG), nn.MultiheadAttention(8, 2, batch_first=True), 2, 5, 8
    ),
    "MultiHeadAttention without biases": case(
        layers.MultiHeadAttention(8, 2, bias=False, rng=RNG),
        nn.MultiheadAttention(8, 2, bias=False, batch_first=True),
        *(2, 5, 8),
    ),
    "TransformerBlock": case(
        layers.Sequential(layers.TransformerBlock(8, 2, rng=RNG)),
        nn.Sequential(nn.TransformerEncoderLayer(8, 2, 32, 0.0, activation="gelu", batch_first=True, norm_first=True)),
        *(2, 5, 8),
    ),
}
for kind in ("RNN", "LSTM", "GRU"):
    options = {"num_layers": 2, "bidirectional": True}
    ours, theirs = getattr(layers, kind)(3, 4, **options, rng=RNG), getattr(nn, kind)(3, 4, **options, batch_first=True)
    CASES[kind] = case(ours, theirs, 2, 5, 3)
    CASES[f"{kind}Cell"] = drawn(f"{kind}Cell", 3, 4, shape=(5, 3), images=False)
for name in ("Linear without bias", "Conv2d", "ConvTranspose2d", "ConvTranspose1d"):
    ours, theirs, x, images = CASES[name]
    ours, theirs = copy.deepcopy(ours), copy.deepcopy(theirs)
    CASES[f"spectral norm of a {name}"] = layers.spectral_norm(ours, rng=RNG), norms.spectral_norm(theirs), x, images
    ours, theirs, dim = copy.deepcopy(CASES[name][0]), copy.deepcopy(CASES[name][1]), int("Transpose" in name)
    CASES[f"weight norm of a {name}"] = layers.weight_norm(ours), norms.weight_norm(theirs, dim=dim), x, images
CASES["weight norm of one length"] = case(
    layers.weight_norm(layers.Linear(3, 2, rng=RNG), axis=None), norms.weight_norm(nn.Linear(3, 2), dim=None), 4, 3
)
NO_TWIN = {"LearnedPositions"}


def test_every_layer_with_weights_has_a_case() -> None:
    weighted = {
        sample.operation for sample in SAMPLES if isinstance(sample, LayerSample) and sample.make().parameters()
    }
    assert weighted - {"Sequential"} - NO_TWIN <= {name.split()[0] for name in CASES}


def output(result: Any) -> np.ndarray:
    result = result[0] if isinstance(result, tuple) else result
    return result.detach().numpy()


def twin_output(twin: Any, x: np.ndarray) -> np.ndarray:
    given = torch.from_numpy(np.ascontiguousarray(x))
    return output(twin(given, given, given) if isinstance(twin, nn.MultiheadAttention) else twin(given))


def torch_tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("name", CASES)
def test_outputs_agree_after_turning_weights_both_ways(name: str) -> None:
    module, twin, x, images = CASES[name]
    to, back = (channels_first, last) if images else (np.asarray, np.asarray)
    for parameter in twin.parameters():  # fresh norms and biases would hide an exchange
        torch.nn.init.normal_(parameter, std=0.5)
    if name == "BatchNorm":
        twin.running_mean.normal_()
        twin.running_var.uniform_(0.5, 2)
    if "spectral" in name:
        twin(torch.from_numpy(to(x)))  # so that u and v belong to the weight
    module.eval()
    twin.eval()
    expected = back(twin_output(twin, to(x)))
    assert interop.from_torch(module, twin.state_dict()) is module
    np.testing.assert_allclose(output(module(x)), expected, rtol=1e-5, atol=5e-6)
    with mg.no_grad():
        for parameter in module.parameters():
            parameter.copy_(np.random.default_rng(2).standard_normal(parameter.shape))
    if "spectral" in name:
        module.train()(x)
        module.eval()
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


class Decoder(layers.Sequential):
    """A Linear and a norm, whose features become an image."""

    def __init__(self) -> None:
        super().__init__(
            layers.Linear(3, 24, rng=RNG),
            layers.BatchNorm(24),
            layers.ReLU(),
            layers.Reshape(2, 3, 4),
            layers.ConvTranspose2d(4, 1, 3, rng=RNG),
        )


def test_a_norm_beside_a_flattened_image_goes_along() -> None:
    twin = nn.Sequential(
        *(nn.Linear(3, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Unflatten(1, (4, 2, 3)), nn.ConvTranspose2d(4, 1, 3))
    )
    for parameter in twin.parameters():
        torch.nn.init.normal_(parameter)
    shapes = {"0": (2, 3, 4)}
    module, x = interop.from_torch(Decoder(), twin.state_dict(), unflattened=shapes), draw(6, 3)
    np.testing.assert_allclose(output(module(x)), last(twin_output(twin, x)), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(  # which the call above has moved, too
        interop.to_torch(module, unflattened=shapes)["1.running_mean"].round(4), twin[1].running_mean.numpy().round(4)
    )


def test_layers_in_two_places_are_one() -> None:
    layer, there = layers.Linear(3, 3, rng=RNG), nn.Linear(3, 3)
    module, twin = layers.ModuleDict({"a": layer, "b": layer}), nn.ModuleDict({"a": there, "b": there})
    interop.from_torch(module, twin.state_dict())
    np.testing.assert_array_equal(layer.weight.data.T, there.weight.detach())
    twin.load_state_dict(torch_tensors(interop.to_torch(module)))
    with pytest.raises(CheckpointError, match=r"b\.weight is a\.weight here, and another weight there"):
        interop.from_torch(module, nn.ModuleDict({"a": there, "b": nn.Linear(3, 3)}).state_dict())


def test_computed_weights_that_have_no_like_are_refused() -> None:
    rnn = layers.Sequential(layers.weight_norm(layers.RNN(3, 3, rng=RNG), "w_h_0"))
    attention = layers.MultiHeadAttention(4, 2, rng=RNG)
    layers.weight_norm(attention.qkv)
    for model, name in ((rnn, r"0\.: weights of a RNN"), (attention, "qkv: weights of a MultiHeadAttention")):
        with pytest.raises(ArgumentError, match=f"{name} are computed .* call remove_parametrizations"):
            interop.to_torch(model)


def test_arrays_other_dtypes_and_parts_left_out() -> None:
    module = layers.Linear(2, 3, rng=RNG)
    state: dict[str, Any] = {"body.weight": np.ones((3, 2)), "body.bias": torch.ones(3, dtype=torch.bfloat16)}
    state["head.weight"] = np.ones(1)
    interop.from_torch(layers.Sequential(module), state, names={"body": "0", "head": None})
    assert module.weight.dtype == np.float32 and module.weight.data.sum() == 6 and module.bias is not None
    assert module.bias.data.tolist() == [1, 1, 1]

"""`minigen export`: a part of a trained model as ONNX."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minigen as mg
from minigen import flags
from minigen.catalog import first_line, load_model, open_run
from minigen.errors import ArgumentError
from minigen.interop import to_onnx
from minigen.layers import Module
from minigen.training import RunFolder

TWO = 2  # items of the examples


@dataclass
class Part:
    """A network of a model: what it is called with, by which names, and along which axis its items lie."""

    module: Module
    inputs: dict[str, np.ndarray]
    batch: tuple[int, ...] = ()

    def axes(self) -> list[int]:
        """The axis of the items of each input."""
        return list(self.batch) or [0] * len(self.inputs)


class Called(Module):
    """A model that is called in another way than by its forward."""

    def __init__(self, model: Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *inputs: Any) -> Any:
        """function(model, *inputs)."""
        return self.function(self.model, *inputs)


def images(model: Any, low: float = 0.0) -> np.ndarray:
    """Two images of the model's shape, from low to 1."""
    shape = (TWO, *(int(n) for n in model.image))
    return np.random.default_rng(0).uniform(low, 1, shape).astype(np.float32)


def noise(*shape: int) -> np.ndarray:
    """Draws from N(0, 1)."""
    return np.random.default_rng(0).standard_normal((TWO, *shape)).astype(np.float32)


def labels(model: Any) -> np.ndarray:
    """Two classes."""
    return np.arange(TWO) % max(int(model.classes), 1)


def coder(model: Any, run: RunFolder) -> dict[str, Part]:
    """The decoder of a vae or an autoencoder, z → images from 0 to 1, and its encoder, images → the mean of z."""
    encode = (lambda model, x: model.encode(x)[0]) if run.model == "vae" else None
    encoder = model.encoder if encode is None else Called(model, encode)
    if getattr(model, "classes", None) is not None:
        told = Called(model, lambda model, z, y: mg.sigmoid(model.decode(z, y)))
        return {"decoder": Part(told, {"z": noise(int(run.recipe["latent"])), "classes": labels(model)})}
    z = {"z": noise(int(run.recipe["latent"]))}
    decoder = Called(model, lambda model, z: mg.sigmoid(model.decoder(z)))
    return {"decoder": Part(decoder, z), "encoder": Part(encoder, {"images": images(model)})}


def game(model: Any, run: RunFolder) -> dict[str, Part]:
    """Both players; images from -1 to 1."""
    told = {"classes": labels(model)} if hasattr(model, "classes") else {}
    z = {"z": noise(int(run.recipe["latent"]))}
    return {
        "generator": Part(model.generator, z | told),
        "discriminator": Part(model.discriminator, {"images": images(model, -1)} | told),
    }


def denoiser(model: Any, run: RunFolder) -> dict[str, Part]:
    """The U-Net: images in noise, times from 0 to 1, classes."""
    inputs = {"images": images(model, -1), "times": np.array([0.3, 0.7], np.float32)}
    return {"network": Part(model, inputs | ({"classes": labels(model)} if int(model.classes) else {}))}


def reader(model: Any, run: RunFolder) -> dict[str, Part]:
    """Images from 0 to 1 → logits."""
    return {"network": Part(model, {"images": images(model)})}


def writer(model: Any, run: RunFolder) -> dict[str, Part]:
    """Symbols (N, context) → logits of the next ones."""
    ids = np.arange(TWO * int(run.recipe["context"])).reshape(TWO, -1) % model.embedding.weight.shape[0]
    return {"network": Part(model, {"symbols": ids})}


def recurrent_writer(model: Any, run: RunFolder) -> dict[str, Part]:
    """One symbol and the state before it → the logits of the next one, and the state after it."""
    state = (int(run.recipe["layers"]), TWO, int(run.recipe["hidden"]))
    names = ("h", "c") if run.recipe["cell"] == "lstm" else ("h",)
    inputs = {"symbols": np.arange(TWO)[:, None]} | {name: np.zeros(state, np.float32) + 0.1 for name in names}

    def step(model: Any, ids: Any, *state: Any) -> Any:
        return model(ids, state[0] if len(names) == 1 else state)

    return {"network": Part(Called(model, step), inputs, (0, *[1] * len(names)))}


MODELS: dict[str, Callable[[Any, RunFolder], dict[str, Part]]] = {
    **dict.fromkeys(("vae", "autoencoder"), coder),
    **dict.fromkeys(("gan", "dcgan", "wgan", "wgan_gp", "cgan"), game),
    **dict.fromkeys(("ddpm", "flow_matching"), denoiser),
    "classifier": reader,
    **dict.fromkeys(("gpt", "bert"), writer),
    "char_rnn": recurrent_writer,
}


def export(argv: list[str]) -> int:
    """Write a part of a trained model as ONNX, to be run without minigen; it is checked by onnxruntime."""
    parser = flags.Parser(prog="minigen export", description=first_line(export))
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="a run folder, or the name of a run that comes along"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="in .onnx (default: MODEL.onnx)")
    parser.add_argument("--part", metavar="NAME", help="which network, such as encoder (default: the first)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    run = open_run(arguments.folder)
    if run.model not in MODELS:
        raise ArgumentError(
            f"export: {run.model} has no part for ONNX yet; those that have: {', '.join(sorted(MODELS))}"
        )
    parts = MODELS[run.model](load_model(run.model).load(run).eval(), run)
    name = arguments.part or next(iter(parts))
    if name not in parts:
        raise ArgumentError(f"export: {run.model} has no part {name}; it has {', '.join(parts)}")
    part, path = parts[name], arguments.out or Path(f"{run.model}.onnx")
    deviation = to_onnx(path, part.module, *part.inputs.values(), batch=part.axes(), names=list(part.inputs))
    shapes = ", ".join(f"{key} {x.shape}".replace(f"({TWO},", "(N,", 1) for key, x in part.inputs.items())
    print(f"{path}: {name} of {run.model}, from {shapes}; it differs from minigen's results by {deviation:.1e} at most")
    return 0

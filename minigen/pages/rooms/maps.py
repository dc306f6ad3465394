"""A convolutional network, layer by layer on one image, and the arithmetic of any one of its numbers, both ways."""

from collections.abc import Callable
from typing import Any

import numpy as np

import minigen as mg
from minigen import layers
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import class_names
from minigen.pages.asked import Query, whole
from minigen.pages.rooms.arithmetic import backward, forward
from minigen.pages.rooms.pictures import loaded, picture, strip, test_image, test_images
from minigen.training import RunFolder

MOST = 64  # maps of a layer that are shown
FILTERS = 64

# The network that reads images, by model, and the range of pixels that it reads.
NETWORKS: dict[str, tuple[Callable[[Any], layers.Module], tuple[float, float]]] = {
    "classifier": (lambda model: model.network, (0, 1)),
    "dcgan": (lambda model: model.discriminator, (-1, 1)),
    "wgan": (lambda model: model.discriminator, (-1, 1)),
    "wgan_gp": (lambda model: model.discriminator, (-1, 1)),
    "cgan": (lambda model: model.discriminator.features, (-1, 1)),  # what comes after is told the class
    "discogan": (lambda model: model.discriminators["a"], (-1, 1)),
    "vq_vae": (lambda model: model.encoder, (0, 1)),
    "augment": (lambda model: model, (0, 1)),
    "vae": (lambda model: model.encoder, (0, 1)),
    "autoencoder": (lambda model: model.encoder, (0, 1)),
}
READERS = ("classifier", "augment")  # whose outputs are classes


class Maps:
    """The reading network of one run: `.layers`, and what they made of the image that was asked for last."""

    @classmethod
    def fits(cls, run: RunFolder) -> bool:
        """Classifiers, discriminators and critics, and encoders where they are convolutional."""
        mlp = run.model in ("vae", "autoencoder") and run.recipe.get("architecture") != "convolutional"
        return run.model in NETWORKS and not mlp

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        take, self.range = NETWORKS[run.model]
        model = loaded(run)
        network = take(model)
        assert isinstance(network, layers.Sequential)
        self.layers: list[layers.Module] = list(network)
        self.names = class_names(run, int(model.classes)) if run.model in READERS else None
        self.seen: tuple[int, int] | None = None
        self.values: list[Tensor] = []
        self.gradients: list[np.ndarray] = []

    def about(self) -> dict[str, Any]:
        """The layers, and the filters of the first convolution."""
        first = next((layer for layer in self.layers if isinstance(layer, layers.Conv2d)), None)
        found: dict[str, Any] = {"layers": [repr(layer) for layer in self.layers], "images": len(test_images(self.run))}
        found["outputs"] = self.names
        if first is not None and first.weight.shape[2] in (1, 3):
            filters = first.weight.data.transpose(3, 0, 1, 2)[:FILTERS]
            bound = float(np.abs(filters).max()) or 1.0
            found["filters"] = strip(filters, 16, (-bound, bound))
        return found

    def ask(self, query: Query) -> dict[str, Any]:
        """All maps of a test image, or, with `layer`, `channel`, `row` and `column`, how one number came about."""
        place, output = whole(query, "image", 0, -(10**9), 10**9), whole(query, "output", -1, -1, 10**6)
        label = self.run_through(place, output)
        if "layer" in query:
            return self.number(query)
        x, last = self.values[0].data[0], self.values[-1].data[0]
        assert self.seen is not None
        found: dict[str, Any] = {"picture": picture(x, self.range), "label": label, "output": self.seen[1]}
        found["maps"] = [self.shown(i) for i in range(len(self.layers))]
        if self.names is not None:
            p = np.exp(last - last.max())
            found["probabilities"] = (p / p.sum()).round(4).tolist()
        return found

    def run_through(self, place: int, output: int) -> int | None:
        """Read an image, and find the gradients of one of the outputs; -1: the largest. Gives the image's class.

        Where outputs are maps, of the sum of one.
        """
        x, label = test_image(self.run, place)
        low, high = self.range
        h = mg.tensor(x * (high - low) + low, requires_grad=True)
        self.values = [h]
        for layer in self.layers:
            h = layer(h)
            self.values.append(h)
        count = h.shape[-1]
        chosen = int(h.data[0].argmax()) % count if output < 0 else output
        if chosen >= count:
            raise ArgumentError(f"output is {output}; the network has {count}")
        self.gradients = [g.numpy() for g in mg.grad(h[0, ..., chosen].sum(), self.values)]
        self.seen = place, chosen
        return label

    def shown(self, i: int) -> dict[str, Any]:
        """What a layer gave: a sheet of maps, or a row of numbers, and the same of the gradients."""
        value, gradient = self.values[i + 1].data[0], self.gradients[i + 1][0]
        found: dict[str, Any] = {"layer": i, "name": repr(self.layers[i]), "shape": value.shape}
        if value.ndim == 3:
            found["columns"], found["most"] = min(value.shape[2], 16), MOST
            places = np.unravel_index(int(np.argmax(value[..., :MOST])), value[..., :MOST].shape)
            found["largest"] = dict(zip(("row", "column", "channel"), map(int, places), strict=True))
            for name, array in (("picture", value), ("gradient", gradient)):
                maps = array.transpose(2, 0, 1)[:MOST, ..., None]
                bound = float(np.abs(maps).max()) or 1.0
                low = 0.0 if name == "picture" and maps.min() >= 0 else -bound
                found[name] = strip(maps, found["columns"], (low, bound), gap=1)
        elif value.size <= 64:
            found["numbers"] = value.round(4).tolist()
        return found

    def number(self, query: Query) -> dict[str, Any]:
        """One number of a layer: the products that made it, its gradient, and what that gives to those before."""
        i = whole(query, "layer", 0, 0, len(self.layers) - 1)
        shape = self.values[i + 1].shape[1:]
        names = ("row", "column", "channel") if len(shape) == 3 else ("channel",)
        at = tuple(whole(query, name, 0, 0, n - 1) for name, n in zip(names, shape, strict=True))
        layer, x, y = self.layers[i], self.values[i].data[0], self.values[i + 1].data[0]
        g = float(self.gradients[i + 1][0][at])
        return {
            "layer": i,
            "name": repr(layer),
            "at": at,
            "value": float(y[at]),
            "gradient": g,
            "forward": forward(layer, x, y, at),
            "backward": backward(layer, x, at, g),
        }

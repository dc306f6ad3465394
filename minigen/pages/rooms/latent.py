"""The latent explorer: what a decoder makes of hidden numbers z, wherever in their space one points.

Models with an encoder are shown on the plane of the two directions in which the codes of test images differ most; a
generator alone, on a plane through the origin of its noise. Where z is a whole image of noise, as in diffusion, a place
is a mixture of three such images, scaled so that it is as much noise as each of them.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

import minigen as mg
from minigen.catalog import load_model
from minigen.errors import ArgumentError, MinigenError
from minigen.models.parts.game import GAN, draw
from minigen.models.parts.images import class_names, in_turn
from minigen.models.parts.modes import evaluating
from minigen.pages.asked import Query, number, numbers, while_wanted, whole
from minigen.pages.rooms.pictures import loaded, picture, strip, test_image, test_images
from minigen.training import RunFolder

CODERS = ("vae", "autoencoder")
GAMES = ("gan", "dcgan", "wgan", "wgan_gp", "cgan")
STEPPED = ("ddpm", "flow_matching")  # an image takes many steps
NOISES = (*STEPPED, "real_nvp")  # z is as large as an image
POINTS = 1000  # test images on the map
SLIDERS = 24  # hidden numbers that have a slider at most, those that matter most
BOUND = 1e4  # of a hidden number
STEPS = 10  # of a diffusion model, while one drags
SIDE = 9  # images of the lattice that fills the map, each way
SHEET = 50  # draws, for the overview of a run that has no samples
MARGIN = 1.15  # how much further than its points the map reaches

Decode = Callable[[np.ndarray, np.ndarray | None], np.ndarray]  # z (N, D), classes (N,) → images in [0, 1]


class Latent:
    """z of one run: `.decode`, `.encode` or None, and the plane z = centre + x·axes[0] + y·axes[1]."""

    @classmethod
    def fits(cls, run: RunFolder) -> bool:
        """VAEs, autoencoders, GANs, diffusion and flows."""
        return run.model in (*CODERS, *GAMES, *NOISES)

    @classmethod
    def draws(cls, run: RunFolder) -> bool:
        """Whether z ~ N(0, I) becomes a sample: not in an autoencoder, whose codes lie anywhere."""
        return cls.fits(run) and run.model != "autoencoder"

    def __init__(self, run: RunFolder) -> None:
        self.run, module = run, load_model(run.model)
        model = loaded(run)
        told = hasattr(model, "classes") and int(model.classes) > 0
        self.classes = class_names(run, int(model.classes)) if told else []
        self.encode = None
        if run.model in CODERS:
            self.decode: Decode = lambda z, y: module.decode(model, z, y)
            self.encode = lambda x, y: module.encode(model, x, y if told else None)
            self.size = int(run.recipe["latent"])
        elif run.model in GAMES:
            self.decode = game_decoder(module, model, told)
            self.size = int(run.recipe["latent"])
        else:
            self.decode, self.size = noise_decoder(module, model, run), int(np.prod(model.image))
        self.lattices: dict[int | None, str] = {}  # by class
        self.codes = self.labels = None
        self.span = 2.0  # the map goes from -span to span, each way
        try:
            self.images = None if self.encode is None else test_images(run)
        except MinigenError:  # they are not where they were
            self.images = self.encode = None
        if self.images is not None:
            self.lay_map(*self.images[:POINTS])
        else:
            rng = mg.random.generator(0)
            self.centre = rng.standard_normal(self.size) if run.model in NOISES else np.zeros(self.size)
            self.axes = rng.standard_normal((2, self.size))
            if run.model in GAMES:  # of length √D, as draws from N(0, I) have
                self.axes *= np.sqrt(self.size) / np.linalg.norm(self.axes, axis=1, keepdims=True) / self.span
            self.order, self.spread = np.arange(min(self.size, SLIDERS)), np.ones(self.size)

    def lay_map(self, x: np.ndarray, *y: np.ndarray) -> None:
        """Lay the plane through the codes of test images."""
        assert self.encode is not None
        codes = self.encode(x, y[0] if y else None).astype(np.float64)
        self.centre, self.spread = codes.mean(0), codes.std(0)
        _, _, axes = np.linalg.svd(codes - self.centre, full_matrices=False)
        self.axes = np.pad(axes, ((0, max(2 - len(axes), 0)), (0, 0)))[:2]
        if self.size == 2:  # as it is, not turned
            self.centre, self.axes = np.zeros(2), np.eye(2)
        self.codes = (codes - self.centre) @ self.axes.T
        self.labels = y[0].tolist() if y else None
        self.span = float(np.quantile(np.abs(self.codes), 0.99)) or 1.0
        self.order = np.argsort(-self.spread)[:SLIDERS]

    def about(self) -> dict[str, Any]:
        """What can be moved, and the map."""
        found = {
            "size": self.size,
            "classes": self.classes,
            "reach": self.span * MARGIN,
            "filled": self.encode is None and self.run.model not in STEPPED,  # at once; else when somebody asks
            "encodes": self.encode is not None,
            "sliders": [] if self.run.model in NOISES else self.order.tolist(),
            "spread": self.spread[self.order].tolist(),
            "points": [] if self.codes is None else np.round(self.codes, 3).tolist(),
            "labels": self.labels,
        }
        if self.images is not None:
            found |= {"images": len(self.images), "names": self.images.classes}
        return found

    def ask(self, query: Query) -> dict[str, Any]:
        """One image: of z, of a place x, y of the map, of a draw (seed), or of a test image.

        Or several: a walk between two, a lattice over the map, a sheet of draws.
        """
        y = self.class_of(query)
        if "sheet" in query:
            return {"picture": self.sheet}
        if "lattice" in query:
            if y not in self.lattices:
                self.lattices[y] = self.lattice(y)
            return {"picture": self.lattices[y]}
        if "to" in query:
            return self.walk(query, y)
        original = None
        if "image" in query:
            original, label = test_image(self.run, whole(query, "image", 0, -(10**9), 10**9))
            y = label if self.classes else y
            z = self.coded(original, y)
        elif "seed" in query:
            z = mg.random.generator(whole(query, "seed", 0, 0, 2**31)).standard_normal((1, self.size))
        else:
            z = self.place(query)
        classes = None if y is None else np.array([y])
        image = self.decode(z.astype(np.float32), classes)[0]
        found: dict[str, Any] = {"picture": picture(image), "at": self.at(z[0]), "class": y}
        if self.run.model not in NOISES:
            found["z"] = [round(float(value), 4) for value in z[0]]
        if original is not None:
            found["original"] = picture(original[0])
        return found

    def class_of(self, query: Query) -> int | None:
        """The class that is asked for; None where none is told."""
        return whole(query, "class", 0, 0, len(self.classes) - 1) if self.classes else None

    def place(self, query: Query) -> np.ndarray:
        """(1, D): z itself, or a place of the plane."""
        z = None if self.run.model in NOISES else numbers(query, "z", self.size, BOUND)
        if z is not None:
            return z[None]
        return self.plane(np.array([[number(query, name, 0.0, -BOUND, BOUND) for name in "xy"]]))

    def plane(self, places: np.ndarray) -> np.ndarray:
        """z (N, D) at places (N, 2) of the map."""
        z = self.centre + places @ self.axes
        return z / np.sqrt(1 + (places**2).sum(1, keepdims=True)) if self.run.model in NOISES else z

    def at(self, z: np.ndarray) -> list[float]:
        """Where z lies on the map, or would lie if it were flattened onto it."""
        axes, *_ = np.linalg.lstsq(self.axes.T, z - self.centre, rcond=None)
        return np.round(axes, 4).tolist()

    def lattice(self, y: int | None) -> str:
        """SIDE × SIDE images over the whole map, each of the place in its middle."""
        axis = self.span * MARGIN * (np.arange(1, 2 * SIDE, 2) / SIDE - 1)
        places = np.stack(np.meshgrid(axis, -axis), -1).reshape(-1, 2)
        classes = None if y is None else np.full(len(places), y)
        return strip(self.decode(self.plane(places).astype(np.float32), classes), SIDE, gap=0)

    @cached_property
    def sheet(self) -> str:
        """SHEET draws; of all classes in turn, a column each, where the model is told one."""
        z, count = mg.random.generator(0).standard_normal((SHEET, self.size), dtype=np.float32), len(self.classes)
        return strip(self.decode(z, in_turn(count, SHEET)), count if 1 < count <= 20 else 10)

    def coded(self, x: np.ndarray, y: int | None) -> np.ndarray:
        """The code of an image. Raises ArgumentError where there is no encoder."""
        if self.encode is None:
            raise ArgumentError(f"{self.run.model} has no encoder: it draws images, and can not read them")
        return self.encode(x, None if y is None else np.array([y])).astype(np.float64)

    def walk(self, query: Query, y: int | None) -> dict[str, Any]:
        """A straight line in z from one test image, or draw, to another, as images side by side."""
        steps, ends = whole(query, "steps", 9, 2, 32), []
        for name in ("from", "to"):
            place = whole(query, name, 0, 0, 10**7)
            if self.encode is None:
                ends.append(mg.random.generator(place).standard_normal(self.size))
            else:
                x, label = test_image(self.run, place)
                y = label if self.classes and name == "from" else y
                ends.append(self.coded(x, y)[0])
        t = np.linspace(0, 1, steps)[:, None]
        z = (1 - t) * ends[0] + t * ends[1]
        if self.encode is None:  # stay at the distance from the origin at which noise lies
            z *= ((1 - t) * np.linalg.norm(ends[0]) + t * np.linalg.norm(ends[1])) / np.linalg.norm(z, axis=1)[:, None]
        classes = None if y is None else np.full(steps, y)
        return {"picture": strip(self.decode(z.astype(np.float32), classes)), "steps": steps}


def game_decoder(module: Any, model: GAN, told: bool) -> Decode:
    """The generator of a game."""
    if told:
        return lambda z, y: module.draw(model, mg.tensor(z), np.zeros(len(z), np.int64) if y is None else y)
    return lambda z, y: draw(model, z)


def noise_decoder(module: Any, model: Any, run: RunFolder) -> Decode:
    """From noise as large as an image: the inverse of a flow, or a walk without chance on the way, in few steps."""
    shape = tuple(model.image.tolist())
    if run.model == "real_nvp":
        return lambda z, y: module.decode(model, z.reshape(-1, *shape))
    walk = module.Noise(run.load_recipe(module.Recipe)).walk if run.model == "ddpm" else module.walk
    wanted = module.Asked(steps=STEPS)

    def decode(z: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        with evaluating(model):
            noise = mg.tensor(z.reshape(-1, *shape))
            *_, x = while_wanted(walk(model, noise, y, wanted, mg.random.generator(0)))
        return np.clip(x.numpy() * 0.5 + 0.5, 0, 1)

    return decode

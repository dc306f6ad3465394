"""What a run can be asked, each question for the models that it fits: /predict, /sample and /generate.

A question tells what may stand in it (`about`), and answers a request (`answer`) by plain values for JSON. The weights
are those that were saved last, also while the training goes on.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Protocol

import numpy as np

import minigen as mg
from minigen.catalog import load_model
from minigen.errors import DataError
from minigen.models.parts.images import class_names, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.pages.asked import while_wanted
from minigen.pages.rooms.pictures import loaded
from minigen.pages.shelf import Kept
from minigen.serve.fields import ClassField, Field, Readable, checked_finite, fields_of, read_fields
from minigen.serve.pictures import ImagesField, png
from minigen.training import RunFolder

READERS = ("classifier", "sequential_mnist", "augment")  # images → logits of classes
DRAWN = 16  # images, where a request does not say how many
SEEDS = 2**53 - 1  # the whole numbers that every reader of JSON keeps


class Question(Protocol):
    """What all of them have. `smallest`: a request that costs little, to be tried before others are let in."""

    smallest: dict[str, Any]

    def about(self) -> dict[str, Any]:
        """What may stand in a request, and what comes back."""
        ...

    def answer(self, given: Any) -> dict[str, Any]:
        """The answer to a request, both from JSON. Raises MinigenError for one that has none."""
        ...


class Predict:
    """Images → how probable each class is, p(y|x) = softmax(logits)_y."""

    @classmethod
    def fits(cls, run: RunFolder, module: ModuleType) -> bool:
        """Models that read images of classes."""
        return run.model in READERS

    def __init__(self, run: RunFolder) -> None:
        self.run, module = run, load_model(run.model)
        self.models = Kept(loaded)
        self.read = module.preprocessing(run)
        height, width, channels = saved_shape(run)
        self.fields = {"images": ImagesField((height, width, channels))}
        self.names = class_names(run, int(self.models.get(run).classes))
        self.smallest = {"images": np.zeros((height, width, channels)).tolist()}

    def about(self) -> dict[str, Any]:
        """The images that it reads, and the classes."""
        gives = "classes; predictions, for each image its class, probability, and the probabilities of all classes"
        return {"fields": told(self.fields), "classes": self.names, "gives": gives}

    def answer(self, given: Any) -> dict[str, Any]:
        """Of every image the likeliest class, and the probabilities of all."""
        x = read_fields(self.fields, given)["images"]
        model = self.models.get(self.run)
        with evaluating(model):
            p = mg.softmax(model(mg.tensor(self.read(x)))).numpy()
        found = []
        for row in p:
            probabilities, best = checked_finite(row.tolist()), int(row.argmax())
            one = {"class": self.names[best], "probability": probabilities[best], "probabilities": probabilities}
            found.append(one)
        return {"classes": self.names, "predictions": found}


class Sample:
    """New images, by the fields of the model's own Request."""

    @classmethod
    def fits(cls, run: RunFolder, module: ModuleType) -> bool:
        """Models that draw images from nothing but noise; those that translate pictures of a folder do not fit."""
        return hasattr(module, "sample") and not hasattr(module.Request, "pictures")

    def __init__(self, run: RunFolder) -> None:
        self.run, self.module, self.smallest = run, load_model(run.model), {"n": 1}
        count = int(getattr(loaded(run), "classes", 0))
        self.names = class_names(run, count)
        left_out = () if count else ("class_", "guidance")
        self.fields = fields_of(self.module.Request, left_out, seed=SEED)
        n = self.fields["n"]
        self.fields["n"] = Field("n", int, DRAWN, n.what, n.low, n.high)
        self.fields["sheet"] = Field("sheet", bool, True, "all in one picture, or else each alone")
        if "class" in self.fields:
            what = self.fields["class"].what
            self.fields["class"] = ClassField("class", str, None, what, choices=tuple(self.names))

    def about(self) -> dict[str, Any]:
        """The fields."""
        return {"fields": told(self.fields), "gives": "sheet, a PNG in base64, or images, a list of them; n and seed"}

    def answer(self, given: Any) -> dict[str, Any]:
        """A sheet, or a list of images."""
        values = read_fields(self.fields, given)
        seed, sheet = values.pop("seed"), values.pop("sheet")
        images = self.module.sample(self.run, request_of(self.module, values), mg.random.generator(seed))
        pictures = {"sheet": png(images)} if sheet else {"images": [png(image[None]) for image in images]}
        return {"n": len(images), "seed": seed} | pictures


class Generate:
    """Text, by the fields of the model's own Request."""

    @classmethod
    def fits(cls, run: RunFolder, module: ModuleType) -> bool:
        """Models that write."""
        return hasattr(module, "generate") and hasattr(module, "Request")

    def __init__(self, run: RunFolder) -> None:
        self.run, self.module, self.smallest = run, load_model(run.model), {"n": 1}
        self.fields = fields_of(self.module.Request, seed=SEED)

    def about(self) -> dict[str, Any]:
        """The fields."""
        return {"fields": told(self.fields), "gives": "text, and seed"}

    def answer(self, given: Any) -> dict[str, Any]:
        """What is written."""
        values = read_fields(self.fields, given)
        seed = values.pop("seed")
        request = request_of(self.module, values)
        try:
            text = "".join(while_wanted(self.module.generate(self.run, request, mg.random.generator(seed))))
        except DataError as error:
            raise DataError(f"prompt: {error}") from error
        return {"text": text, "seed": seed}


SEED = Field("seed", int, 0, "the same seed gives the same answer", 0, SEEDS)
QUESTIONS: dict[str, type[Predict | Sample | Generate]] = {
    "/predict": Predict,
    "/sample": Sample,
    "/generate": Generate,
}


def told(fields: Mapping[str, Readable]) -> dict[str, Any]:
    """All fields as they are told to those who ask."""
    return {name: field.about() for name, field in fields.items()}


def request_of(module: ModuleType, values: dict[str, Any]) -> Any:
    """The model's Request with these values. Raises ArgumentError for one that it refuses."""
    return module.Request(**{"class_" if name == "class" else name: value for name, value in values.items()})

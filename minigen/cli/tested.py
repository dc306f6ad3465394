"""Whether the data that a trained model is measured on are still those of its training's end."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigen import data
from minigen.errors import MinigenError
from minigen.training import RunFolder
from minigen.training.origin import data_digest

KEY = "test"  # in `RunFolder.data`, and so in run.json


def tested_digest(recipe: Mapping[str, Any]) -> str | None:
    """SHA-256 of the test images, or the text, that a recipe names; None when it names none."""
    try:
        if recipe.get("text"):
            return data_digest(np.frombuffer(data.load_text(recipe["text"]).encode(), np.uint8))
        if recipe.get("data"):
            return data_digest(data.load(recipe["data"], "test", size=recipe.get("size")))
    except MinigenError:  # its fields mean something else
        pass
    return None


def data_changed(run: RunFolder) -> bool:
    """Whether a run's data are not those that it was measured on before. False for a run that does not know."""
    return KEY in run.data and run.data[KEY] != tested_digest(run.recipe)

"""Runs of a few steps of every kind of model that has a room, and the server over them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")

from pages_helpers import HOST, TOKEN

from minigen import data
from minigen.catalog import load_model
from minigen.pages.guard import Guard
from minigen.pages.server import Server
from minigen.training import Run

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {"max_steps": 4, "latent": 3, "hidden": 32}),
    "told": ("vae", {"max_steps": 1, "latent": 2, "hidden": 32, "conditional": True}),
    "gpt": ("gpt", {"max_steps": 2, "layers": 2, "dim": 32, "context": 16}),
    "char_rnn": ("char_rnn", {"max_steps": 2, "hidden": 32}),
    "glove": ("glove", {"max_steps": 2, "vocabulary": 60, "dim": 8}),
    "ddpm": ("ddpm", {"max_steps": 1, "width": 8, "noise_steps": 30}),
    "flow_matching": ("flow_matching", {"max_steps": 1, "width": 8}),
    "real_nvp": ("real_nvp", {"max_steps": 1, "width": 8, "blocks": 1, "couplings": 2}),
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with them, trained on 400 digits or on a page of text."""
    folder, digits = tmp_path_factory.mktemp("view") / "runs", data.mnist("test")
    archive, story = folder.parent / "digits.npz", folder.parent / "story.txt"
    np.savez(archive, images=digits.images[:400], labels=np.asarray(digits.labels)[:400])
    story.write_text(data.shakespeare()[:12_000], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, (model, fields) in RUNS.items():
            module = load_model(model)
            if hasattr(module, "Asked"):  # sheets of noise that becomes images in a few steps
                patch.setattr(module.Asked.__init__, "__defaults__", (2, *module.Asked.__init__.__defaults__[1:]))
            source = {"text": str(story)} if hasattr(module.Recipe, "text") else {"data": str(archive)}
            recipe = module.Recipe(batch_size=16, **source, **fields)
            module.train(recipe, Run.create(folder / name, model, recipe))
    return folder


@pytest.fixture(scope="session")
def server(runs: Path) -> Guard:
    """The guarded application."""
    return Server(runs).application(TOKEN, (HOST, HOST.replace("127.0.0.1", "localhost")))

"""The catalog: which models there are, and one line to load what was trained."""

import subprocess
import sys
from pathlib import Path

import pytest

import minigen as mg
from minigen import models
from minigen.catalog import model_paths
from minigen.errors import ArgumentError, CheckpointError, RunError
from minigen.models.latent import vae
from minigen.training import Run


def test_models_are_found_in_their_rooms_and_not_imported():
    code = "import sys; from minigen.catalog import model_paths as f; print(f(), set(f().values()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    paths = {name: path for name, path in model_paths().items() if ".toys." not in path}
    assert done.stdout.strip() == f"{paths} set()"
    assert paths["vae"] == "minigen.models.latent.vae" and len(paths) == 29
    files = [path.stem for path in Path(models.__path__[0]).glob("*/*.py") if path.parent.name != "parts"]
    assert sorted(name for name in files if name != "__init__") == sorted(paths)  # no name stands in two rooms


def test_what_can_not_be_loaded_is_told(tmp_path: Path):
    with pytest.raises(RunError, match="there is no run folder"):
        mg.load(tmp_path / "nowhere")
    run = Run.create(tmp_path / "fresh", "vae", vae.Recipe())
    with pytest.raises(CheckpointError, match="has not saved one yet"):
        mg.load(run.path)
    Run.create(tmp_path / "other", "no_such_model", vae.Recipe())
    with pytest.raises(ArgumentError, match=r"unknown model no_such_model \(known: augment, autoencoder, bert, "):
        mg.load(tmp_path / "other")

"""make results: every command is one that its model knows, and a run is trained, resumed or left as it is finished."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from minigen import flags
from minigen.benchmarks import full_runs
from minigen.catalog import load_model
from minigen.errors import RunError


@pytest.mark.parametrize("line", full_runs.RUNS)
def test_every_command_is_known(line: str):
    model, *rest = line.split()
    kind = load_model(model).Recipe
    parser = flags.Parser()
    flags.add_fields(parser, kind, "recipe")
    assert kind(**flags.given_fields(parser.parse(rest), kind))


def test_runs_are_trained_resumed_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(full_runs, "FOLDER", tmp_path)
    calls: list[list[str]] = []
    folder = tmp_path / "vae-latent-2"
    results: dict[str, float] = {}

    def train(command: list[str], **_: Any) -> None:
        calls.append(command[4:])
        folder.mkdir(exist_ok=True)
        (folder / "checkpoint.safetensors").touch()
        (folder / "run.json").write_text(json.dumps({"results": results}))

    monkeypatch.setattr(subprocess, "run", train)
    with pytest.raises(RunError, match="stopped before its end; start again"):
        full_runs.finished("vae --latent 2")
    results["kl"] = 1.0
    assert full_runs.finished("vae --latent 2") == full_runs.finished("vae --latent 2") == folder
    assert calls == [["vae", "--latent", "2", "--out", str(folder)], ["--resume", str(folder)]]

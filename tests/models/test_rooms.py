"""The rooms of the models: what is shared imports no model, and a model builds on its own room and on parts only."""

import ast
from pathlib import Path

import pytest

from minigen import models

ROOT = Path(models.__path__[0])
FILES = {f"{path.parent.name}/{path.stem}": path for path in sorted(ROOT.glob("*/*.py"))}


def foreign(source: str, room: str) -> list[str]:
    """The imports in a source file that come from rooms other than its own and parts, or are relative."""
    froms = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    names = [f"{'.' * node.level}{node.module or ''}" for node in froms]
    own = tuple(f"minigen.models.{name}" for name in {room, "parts"})
    return [name for name in names if name.startswith(("minigen.models", ".")) and not name.startswith(own)]


@pytest.mark.parametrize("name", FILES)
def test_a_file_stays_in_its_room(name: str):
    assert foreign(FILES[name].read_text(), name.partition("/")[0]) == []


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("parts", "from minigen.models.language.gpt import blocks"),
        ("language", "from minigen.models.latent import vae"),
        ("latent", "from .vae import reparametrize"),
    ],
)
def test_another_room_is_found(room: str, line: str):
    assert len(foreign(line, room)) == 1

"""The examples in docstrings run and print what they say; the pages of the API name all that is public."""

import ast
import doctest
import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import minigen as mg
from minigen import data, interop, layers, metrics, optim, plots, training

ROOT = Path(__file__).resolve().parent.parent
WITH_EXAMPLES = [
    path for path in sorted((ROOT / "minigen").rglob("*.py")) if re.search(r"^\s*>>> ", path.read_text(), re.M)
]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=module_name)
def test_examples_print_what_they_say(path: Path):
    module = importlib.import_module(module_name(path))
    failed, tried = doctest.testmod(module, extraglobs={"mg": mg}, optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_the_first_example_is_found():
    assert ROOT / "minigen" / "__init__.py" in WITH_EXAMPLES


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The text of each page of the API, by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        for name in ("website", "website.api"):
            patch.delitem(sys.modules, name, raising=False)
        return importlib.import_module("website.api").pages()


def named(page: str) -> list[str]:
    """The names that a page documents."""
    return re.findall(r"^\.\. auto\w+:: (\S+)$", page, re.M)


def test_the_api_names_every_function_and_class_of_minigen_once(pages: dict[str, str]):
    public = [name for name, value in vars(mg).items() if name[0] != "_" and not isinstance(value, ModuleType)]
    public = [name for name in public if name not in ("TYPE_CHECKING", "config")]
    assert len(public) > 200
    assert sorted(named(pages["minigen"])) == sorted(f"minigen.{name}" for name in public)


@pytest.mark.parametrize("package", [layers, optim, data, metrics, training, plots, interop], ids=lambda p: p.__name__)
def test_the_api_names_all_of_a_package(package: ModuleType, pages: dict[str, str]):
    page = named(pages[package.__name__.removeprefix("minigen.")])
    assert sorted(page) == sorted(f"{package.__name__}.{name}" for name in package.__all__)


def test_the_api_names_errors_and_generators(pages: dict[str, str]):
    tree = ast.parse(inspect.getsource(mg.errors))
    errors = [f"minigen.errors.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)]
    assert named(pages["errors"]) == errors
    assert "minigen.random.generator" in named(pages["random"])
    assert all(f"   {name}\n" in pages["index"] for name in pages if name != "index")

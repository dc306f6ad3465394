"""Holds the house in order: which part may import which, how long files get, that public things are documented.

Imports are read from the source (AST), so those inside functions count too. What stands under `if TYPE_CHECKING:` is
not imported when the program runs: it counts for the direction of the parts, and not for circles of modules.
"""

import ast
import functools
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE = {"advice", "checks", "config", "errors", "files", "random", "startup", "torch_names", "torch_table"}
ENGINE = BASE | {"kernels", "autograd"}
SERVICES = {"optim", "data", "metrics", "training", "plots"}
LIBRARY = ENGINE | {"layers"} | SERVICES

# What each part of minigen may import from minigen. "minigen" is the public face, `import minigen as mg`.
MAY_IMPORT = {
    "errors": set(),
    "checks": {"errors"},
    "startup": set(),
    "config": {"errors", "startup"},
    "advice": {"config"},
    "files": {"errors"},
    "random": {"errors"},
    "torch_names": {"errors", "torch_table"},
    "torch_table": set(),
    "kernels": BASE,
    "autograd": ENGINE,
    "layers": ENGINE,
    "data": BASE | {"kernels"},
    "plots": BASE | {"metrics"},
    "metrics": ENGINE | {"layers", "data"},
    "optim": ENGINE | {"layers"},
    "training": ENGINE | {"layers", "data", "metrics", "optim", "plots"},
    "catalog": {"errors", "checks", "training"},
    "interop": ENGINE | {"layers", "training", "catalog"},
    "recording": ENGINE | {"layers"},
    "pages": LIBRARY | {"minigen", "models", "catalog", "see"},
    "serve": LIBRARY | {"minigen", "models", "catalog", "flags", "pages"},
    "see": ENGINE | {"layers", "plots", "optim", "training"},
    "search": BASE | {"flags", "plots", "optim", "training"},
    "minigen": LIBRARY | {"catalog", "interop", "recording", "see"},
    "models": LIBRARY | {"minigen", "catalog"},
    "flags": {"errors"},
    "info": LIBRARY | {"minigen"},
    "benchmarks": LIBRARY | {"minigen", "models", "flags", "catalog", "info"},
    "exercises": ENGINE | {"minigen"},
    "cli": LIBRARY
    | {"minigen", "models", "flags", "catalog", "info", "benchmarks", "see", "pages", "exercises", "interop", "search"}
    | {"serve"},
    "__main__": {"cli"},
}
ONLY_IMPORTED_BY: dict[str, str | set[str]] = {
    "numba": "kernels",
    "llvmlite": "kernels",
    "matplotlib": "plots",
    "rich": "training",
    "mido": "data",
    "starlette": {"pages", "serve"},
    "uvicorn": {"pages", "serve"},
    "IPython": "training",
    "tensorboardX": "training",
    "onnx_ir": "interop",
    "onnxruntime": "interop",
    "optuna": "search",
}
ONLY_IMPORTED_BY |= {"torch": {"benchmarks", "interop"}, "jax": "benchmarks", "mido": "data"}
OUTSIDE = ("models", "benchmarks")  # folders at the top of the repository that are installed as parts of minigen
HEAVY = {"numba", "llvmlite", "matplotlib", "rich", "safetensors", "PIL", "argparse"}
# May be imported inside functions: what is heavy, an extra, or not there on every system.
EXTRAS = ("torch", "jax", "mido", "starlette", "uvicorn", "anyio", "IPython", "tensorboardX", "onnx_ir", "onnxruntime")
EXTRAS += ("optuna",)
OPTIONAL = ("importlib.metadata", "urllib", "http", "resource", "minigen.kernels.compiler", *EXTRAS)
PUT_OFF = tuple(f"{name}." for name in (*HEAVY, *OPTIONAL))
# Where a module is found by a name that is only known when the program runs, or that may be missing: a model, a form of
# the kernels, a lesson, a side of the benchmark.
BY_NAME = {
    *("minigen/catalog.py", "minigen/kernels/__init__.py", "minigen/kernels/compiler/choice.py"),
    *("minigen/exercises/lessons.py", "minigen/training/bars.py", "benchmarks/worker.py"),
}

SOURCES = sorted(path for folder in ("minigen", *OUTSIDE) for path in (ROOT / folder).rglob("*.py"))
ALL = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py")])


@functools.cache
def parsed(source: str) -> ast.Module:
    """A source file's tree, which nobody changes."""
    return ast.parse(source)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part(path: Path) -> str:
    """The part of the house that a file belongs to: kernels, autograd, …, minigen for minigen/__init__.py."""
    top, *rest = path.relative_to(ROOT).with_suffix("").parts
    if top in OUTSIDE:
        return "__main__" if rest == ["__main__"] else top
    return "minigen" if rest[0] == "__init__" else rest[0]


def part_of_name(dotted: str) -> str:
    """The part that `minigen.x.y` names; "minigen" for the package itself and for its exported functions."""
    rest = dotted.split(".")[1:]
    return rest[0] if rest and rest[0] in MAY_IMPORT else "minigen"


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Every imported name in absolute dotted form; `package` resolves relative imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def package_of(path: Path) -> str:
    folders = path.relative_to(ROOT).parent.parts
    return ".".join(("minigen", *folders) if folders[0] in OUTSIDE else folders)


def wrong_imports(source: str, own: str, package: str) -> list[str]:
    """The imports in a source file of part `own` that go against the direction."""
    wrong = []
    for dotted in imports(parsed(source), package):
        top = dotted.split(".")[0]
        if top == "minigen" and part_of_name(dotted) not in MAY_IMPORT[own] | {own}:
            wrong.append(dotted)
        allowed = ONLY_IMPORTED_BY.get(top, own)
        if own not in ({allowed} if isinstance(allowed, str) else allowed):
            wrong.append(dotted)
    return wrong


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_point_one_way(path: Path):
    assert wrong_imports(path.read_text(), part(path), package_of(path)) == []


@pytest.mark.parametrize(
    ("own", "source"),
    [
        ("kernels", "from minigen.autograd.tensor import Tensor"),
        ("kernels", "def f():\n    import minigen.layers"),
        ("kernels", "import minigen as mg"),
        ("data", "from ..autograd import tensor"),
        ("autograd", "from minigen import layers"),
        ("autograd", "import numba"),
        ("training", "import matplotlib.pyplot as plt"),
        ("layers", "from minigen import exp"),
    ],
)
def test_a_wrong_import_is_found(own: str, source: str):
    assert len(wrong_imports(source, own, f"minigen.{own}")) == 1


# ---------------------------------------------------------------- circles, and imports inside functions


def module_of(path: Path) -> str:
    """minigen.autograd.engine; a package is its __init__.py."""
    return (package_of(path) if path.name == "__init__.py" else f"{package_of(path)}.{path.stem}").removesuffix(".")


class OnlyWhatRuns(ast.NodeTransformer):
    """Takes `if TYPE_CHECKING:` out of a tree, and leaves what stands under its else."""

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test).endswith("TYPE_CHECKING") else node


def arrows(sources: dict[str, str], packages: set[str]) -> dict[str, set[str]]:
    """Which of these modules each imports when it runs, {name: source} → {name: names}."""
    found = {}
    for module, source in sources.items():
        package = module if module in packages else module.rpartition(".")[0]
        names = imports(OnlyWhatRuns().visit(ast.parse(source)), package)
        # `from package import name` is an arrow to the module package.name, or else to the package that defines it.
        targets = {dotted if dotted in sources else dotted.rpartition(".")[0] for dotted in names}
        found[module] = (targets & set(sources)) - {module}
    return found


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules that lie on circles, or between two: those that are left when all dead ends are taken away."""
    left = dict(graph)
    while True:
        inner = {m for m, targets in left.items() if targets & set(left)}
        inner &= {target for targets in left.values() for target in targets}
        if len(inner) == len(left):
            return set(left)
        left = {m: left[m] for m in inner}


def test_there_is_no_circle_of_modules():
    sources = {module_of(path): path.read_text() for path in SOURCES}
    packages = {module_of(path) for path in SOURCES if path.name == "__init__.py"}
    assert in_circles(arrows(sources, packages)) == set()


@pytest.mark.parametrize(
    "back",
    [
        "from minigen.a import f",
        "from minigen import a",
        "import minigen.a",
        "from . import a",
        "from .a import f",
        "def g():\n    from minigen.a import f",
    ],
)
def test_a_circle_is_found(back: str):
    sources = {"minigen.a": "from minigen.b import x", "minigen.b": "import numpy\nfrom minigen.c import y"}
    sources |= {"minigen.c": back, "minigen.d": "from minigen import a, c", "minigen.e": ""}
    assert in_circles(arrows(sources, set())) == {"minigen.a", "minigen.b", "minigen.c"}


def test_an_import_for_types_alone_is_no_arrow():
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minigen.b import B\nelse:\n    B = object"
    assert in_circles(arrows({"minigen.a": types, "minigen.b": "from minigen.a import A"}, set())) == set()


def inside_functions(source: str, package: str) -> list[str]:
    """What a file imports inside functions: only what is optional, or heavy, may be put off until it is needed."""
    functions = [node for node in ast.walk(parsed(source)) if isinstance(node, ast.FunctionDef)]
    names = [dotted for function in functions for dotted in imports(function, package)]
    return [dotted for dotted in names if not f"{dotted}.".startswith(PUT_OFF)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_what_is_optional_or_heavy_is_imported_inside_functions(path: Path):
    assert inside_functions(path.read_text(), package_of(path)) == []


def test_modules_are_looked_up_by_name_in_few_places():
    found = {name(path) for path in SOURCES if "import_module(" in path.read_text()}
    assert found == BY_NAME


def test_a_hidden_import_is_found():
    assert inside_functions("def f():\n    from minigen.a import g\n    import torch", "minigen") == ["minigen.a.g"]


# ---------------------------------------------------------------- files


def names_tensor(node: ast.AST) -> bool:
    return "Tensor" in (getattr(node, "id", ""), getattr(node, "attr", ""))


def test_kernels_know_no_tensor():
    kernels = (ROOT / "minigen" / "kernels").rglob("*.py")
    assert [name(path) for path in kernels if any(map(names_tensor, ast.walk(parsed(path.read_text()))))] == []


def test_no_file_is_over_400_lines():
    lengths = {name(path): len(path.read_text().splitlines()) for path in ALL}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_file_says_what_it_is_for(path: Path):
    assert ast.get_docstring(parsed(path.read_text()))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_public_functions_and_classes_are_documented(path: Path):
    definitions = (ast.FunctionDef, ast.ClassDef)
    public = [
        node
        for node in parsed(path.read_text()).body
        if isinstance(node, definitions) and not node.name.startswith("_")
        if not any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_import_loads_nothing_heavy():
    code = f"import sys, minigen; print(sorted({HEAVY!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_is_installed():
    folders = {path.parent for path in SOURCES if path.name == "__init__.py"}
    assert set(pyproject()["tool"]["setuptools"]["packages"]) == {package_of(folder / "x") for folder in folders}


def test_a_name_defined_twice_is_a_lint_error():
    lint = pyproject()["tool"]["ruff"]["lint"]
    assert {"F", "F811"} & set(lint["select"])
    assert not {"F", "F811"} & set(lint["ignore"])


def test_version_is_declared_alike():
    import minigen

    assert minigen.__version__ == pyproject()["project"]["version"]

"""Mutation testing: does a test fail when the code is wrong? Plants single faults and runs the tests of their file.

    python tests/mutation.py minigen/optim --count 100 --seed 0

Faults are those of cosmic-ray (`pip install cosmic-ray`): another operator, comparison, number, keyword or condition at
one place. Places are drawn at random, one fault at each; annotations and decorators are left out. It works in a clone
of the last commit, and prints the share of faults that were caught, and each that was not, as a diff.
"""

import argparse
import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 300  # seconds that the tests of one fault may take: a fault that hangs is caught
ENGINE = ("tests/autograd", "tests/optim", "tests/test_promises.py")

Place = tuple[int, int]


def tests_of(path: str) -> list[list[str]]:
    """Arguments of the runs of pytest that are to fail when the file at `path` is wrong, the quickest first."""
    folder = "/".join(Path(path).parts[1:-1])
    if folder == "autograd/ops":
        names = " or ".join(operations(ROOT / path))
        runs = [["tests/test_ops.py", "tests/test_op_values.py", "-k", names]] if names else []
        return [*runs, ["tests/test_op_properties.py", "tests/test_errors.py", "tests/autograd", "tests/layers"]]
    if folder.startswith("autograd"):
        return [[*ENGINE], ["tests/test_ops.py", "-k", "linear or lstm or split or norm or conv2d"]]
    if folder == "training":
        return [["tests/training"], ["tests/cli", "tests/test_promises.py", "tests/models/test_models.py"]]
    return [[f"tests/{folder}"], ["tests/test_promises.py", "tests/training"]]


def operations(path: Path) -> list[str]:
    """The functions in a file of operations that `minigen.autograd.ops` exports."""
    exports = ast.parse((ROOT / "minigen/autograd/ops/__init__.py").read_text())
    found = [node for node in exports.body if isinstance(node, ast.ImportFrom) and node.module]
    return [alias.name for node in found if str(node.module).split(".")[-1] == path.stem for alias in node.names]


def never_run(tree: ast.AST) -> Iterator[Any]:
    """Annotations, decorators and `if TYPE_CHECKING:`, in which a fault changes no behaviour, or all."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from node.decorator_list
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        if isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation is not None:
            yield node.annotation
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield node


def faults(path: str) -> dict[Place, list]:
    """The faults that cosmic-ray knows in a file, by the place at which they stand."""
    from cosmic_ray.commands.init import _all_work_items  # pyright: ignore[reportMissingImports]

    tree = ast.parse((ROOT / path).read_text())
    spans = [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in never_run(tree)]
    found: dict[Place, list] = {}
    for item in _all_work_items([Path(path)], {}):
        for mutation in item.mutations:
            if not any(start <= mutation.start_pos < end for start, end in spans):
                found.setdefault(mutation.start_pos, []).append(mutation)
    return found


def caught(path: str, environment: dict[str, str]) -> bool:
    """Whether some test of the file at `path` fails, or hangs."""
    for arguments in tests_of(path):
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *arguments]
        try:
            code = subprocess.run(command, env=environment, capture_output=True, timeout=TIMEOUT).returncode
        except subprocess.TimeoutExpired:
            return True
        if code not in (0, 5):  # 5: no test has that name
            return True
    return False


def main() -> None:
    """Plant `--count` faults, one after another, and say which were not caught."""
    from cosmic_ray.mutating import use_mutation  # pyright: ignore[reportMissingImports]
    from cosmic_ray.plugins import get_operator  # pyright: ignore[reportMissingImports]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", help="files or folders of the repository")
    parser.add_argument("--count", type=int, default=100, help="faults")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.chdir(ROOT)
    files = [str(f) for p in map(Path, options.paths) for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    rng = Random(options.seed)
    places = [(path, kinds) for path in files for _, kinds in sorted(faults(path).items())]
    drawn = [(path, rng.choice(kinds)) for path, kinds in rng.sample(places, min(options.count, len(places)))]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
        os.chdir(folder)
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        for number, (path, fault) in enumerate(drawn, 1):
            with use_mutation(fault.module_path, get_operator(fault.operator_name)(), fault.occurrence):
                if not caught(path, environment):
                    survivors += 1
                    print(subprocess.run(["git", "diff", "-U1"], capture_output=True, text=True).stdout, flush=True)
            print(f"{number} of {len(drawn)} faults, {survivors} not caught", flush=True)


if __name__ == "__main__":
    main()

"""How long until something happens: `import minigen`, and the first training step of every recipe.

The first step is timed from the start of the process to the end of the step, as one who types `minigen train NAME`
feels it: interpreter, imports, data, networks, and the kernels, which come from the cache (warm) or are compiled into
an empty one (cold).
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from minigen.catalog import model_names

from .catalog import SIDES, Plan
from .driver import Worker
from .report import NOTHING, Table


def measure(plan: Plan, show: Callable[[str], None]) -> dict[str, Any]:
    """Median seconds of the imports, and seconds of each recipe's first step, warm (median) and cold (once)."""
    repeats = 1 if plan.quick else 5
    packages = dict.fromkeys(["minigen", *(SIDES[peer].package for peer in plan.peers)])
    imports = {package: median(import_seconds(package, plan, repeats)) for package in packages}
    show("import, seconds: " + ", ".join(f"{package} {seconds:.2f}" for package, seconds in imports.items()))
    show("first training step, seconds after the command; warm: kernels cached, cold: compiled")
    show(TABLE.heading())
    entries = []
    for model in model_names():
        first_step(model, plan)  # fills the cache
        warm = median(first_step(model, plan) for _ in range(repeats))
        cold = None if plan.quick else cold_step(model, plan)
        entries.append({"recipe": model, "warm": warm, "cold": cold})
        show(TABLE.line(row(entries[-1])))
    return {"import": imports, "first_step": entries}


def import_seconds(package: str, plan: Plan, repeats: int) -> list[float]:
    """Seconds that the import takes, in new processes; the first, which reads the disk, is left out."""
    taken = []
    for _ in range(1 + repeats):
        with Worker("import", plan.threads) as worker:
            taken.append(worker.call("import_seconds", package))
    return taken[1:]


def first_step(model: str, plan: Plan, environment: Mapping[str, str] | None = None) -> float:
    """Seconds from the start of a process to the end of its first training step."""
    began = time.perf_counter()
    with Worker("minigen", plan.threads, environment) as worker:
        worker.call("first_step", model)
        return time.perf_counter() - began


def cold_step(model: str, plan: Plan) -> float:
    """The same with an empty cache of kernels."""
    with tempfile.TemporaryDirectory() as folder:
        return first_step(model, plan, {"MINIGEN_CACHE": folder})


TABLE = Table([("recipe", -16), ("warm", 8), ("cold", 8)])


def row(entry: Mapping[str, Any]) -> list[str]:
    """One line of figures."""
    return [entry["recipe"], f"{entry['warm']:.2f}", NOTHING if entry["cold"] is None else f"{entry['cold']:.1f}"]

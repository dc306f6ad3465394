"""The atlas: many shapes, drawn by a seed, each forward and with backward, in turns with PyTorch, beside their limit.

The limit of a case is the longer of its work at the rate of NumPy's 2048³ product and its arrays at the rate of a copy
that is larger than every cache. Both are counted three times with backward. A case may pass its limit: by a form that
needs fewer multiplications, or because its arrays stay in a cache.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from statistics import geometric_mean, median
from typing import Any

from . import driver
from .atlas_cases import Case, draw_cases
from .catalog import REFERENCE, Plan
from .driver import HERE, Worker, WorkerError
from .report import NOTHING, Table, milliseconds, share, times

FILES = {"minigen": "atlas_minigen.py", "torch": "atlas_torch.py"}
PASSES = {"forward": False, "backward": True}
TURN = 0.04  # seconds a side, pass and round
WORST = 10  # that are listed


def measure(plan: Plan, show: Callable[[str], None]) -> dict[str, Any]:
    """One entry a case: for each pass the median seconds of each side and of each round, and the limit."""
    cases = draw_cases(plan.cases, plan.seed)
    sides = ("minigen", *(peer for peer in plan.peers if peer in FILES))
    show(f"atlas of {len(cases)} cases (seed {plan.seed}), ms and ratio to minigen's, {plan.threads} threads each")
    prepare_kernels(cases, plan)
    product_rate, memory_rate = machine_rates(plan)
    show(f"NumPy's {driver.PRODUCT}³ product: {product_rate:.0f} GFLOP/s; a copy: {memory_rate / 1e9:.1f} GB/s")
    show(TABLE.heading())
    entries = []
    with ExitStack() as stack:
        workers = {side: stack.enter_context(Worker(side, plan.threads)) for side in sides}
        for case in cases:
            entries.append(asdict(case) | {"name": case.name} | measure_case(case, workers, plan.rounds))
            seconds = max(case.gflop / product_rate, case.bytes / memory_rate)
            entries[-1]["limit"] = {name: (1 + 2 * back) * seconds for name, back in PASSES.items()}
            show(TABLE.line(row(entries[-1])))
    show("\n".join(summary(entries)))
    return {"seed": plan.seed, "product_gflops": product_rate, "memory_rate": memory_rate, "cases": entries}


def prepare_kernels(cases: Sequence[Case], plan: Plan) -> None:
    """Have minigen compile what is missing, in a process that is then left."""
    with Worker("minigen", plan.threads) as worker:
        for case in {case.build: case for case in cases}.values():
            worker.call("prepare", "step", str(HERE / FILES["minigen"]), case.build, case.sizes, True)


def machine_rates(plan: Plan) -> tuple[float, float]:
    """GFLOP/s of a large product, and bytes per second, read and written, of a large copy."""
    with driver.product_worker(plan.threads) as worker:
        worker.receive()
        worker.call("prepare", "copy", str(HERE / "kernel_calls.py"), "copy", driver.COPIED, plan.threads)
        taken = [(driver.take_turn(worker, "product", 0.5), driver.take_turn(worker, "copy", 0.5)) for _ in range(5)]
    products, copies = zip(*taken, strict=True)
    return driver.rate(driver.flat(list(products))), 8 * driver.COPIED / median(driver.flat(list(copies)))


def measure_case(case: Case, workers: Mapping[str, Worker], count: int) -> dict[str, Any]:
    """Median seconds by pass and side, those of each round, and why a side could not run it."""
    rounds: dict[str, dict[str, list[list[float]]]] = {name: {} for name in PASSES}
    failed: dict[str, str] = {}
    for side, worker in workers.items():
        try:
            for name, backward in PASSES.items():  # in the place of the case before
                worker.call("prepare", name, str(HERE / FILES[side]), case.build, case.sizes, backward)
        except WorkerError as error:
            failed[side] = str(error)
    for _ in range(count):
        for name in PASSES:
            for side, worker in workers.items():
                if side not in failed:
                    rounds[name].setdefault(side, []).append(driver.take_turn(worker, name, TURN))
    return {
        "seconds": {
            name: {side: median(driver.flat(taken)) for side, taken in by_side.items()}
            for name, by_side in rounds.items()
        },
        "round_seconds": {
            name: {side: [median(turn) for turn in taken] for side, taken in by_side.items()}
            for name, by_side in rounds.items()
        },
        "failed": failed,
    }


# ---------------------------------------------------------------- tables

TABLE = Table(
    [
        ("case", -96), ("forward", 8), (REFERENCE, 8), ("of limit", 9), ("with backward", 14), (REFERENCE, 8),
        ("of limit", 9),
    ]
)  # fmt: skip


def ratio(entry: Mapping[str, Any], name: str) -> float | None:
    """How many times as long as minigen PyTorch takes for a pass."""
    seconds = entry["seconds"][name]
    return seconds[REFERENCE] / seconds["minigen"] if {REFERENCE, "minigen"} <= seconds.keys() else None


def row(entry: Mapping[str, Any]) -> list[str]:
    """One line of figures."""
    cells = [entry["name"]]
    for name in PASSES:
        own = entry["seconds"][name].get("minigen")
        limit = share(entry["limit"][name] / own) if own else NOTHING
        cells += [milliseconds(own), times(ratio(entry, name)), limit]
    return cells


def summary(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Geometric means by kind, how many are slower, and the slowest."""
    lines = []
    for name in PASSES:
        ratios = {entry["name"]: value for entry in entries if (value := ratio(entry, name))}
        if not ratios:
            continue
        slower = sum(value < 1 for value in ratios.values())
        lines.append(
            f"\n{name}: geometric mean {times(geometric_mean(ratios.values()))} {REFERENCE}, "
            f"{slower} of {len(ratios)} slower"
        )
        for kind in dict.fromkeys(entry["kind"] for entry in entries):
            values = [ratios[entry["name"]] for entry in entries if entry["kind"] == kind and entry["name"] in ratios]
            if values:
                mean, worst = geometric_mean(values), min(values)
                lines.append(f"  {kind:<24} {times(mean):>7}, worst {times(worst)}, of {len(values)}")
        lines += [f"  {times(ratios[case]):>7} {case}" for case in sorted(ratios, key=ratios.__getitem__)[:WORST]]
    return lines

"""The atlas: many shapes, drawn by a seed, each forward and with backward, in turns with the peers, beside their limit.

The limit of a case is the longer of its work at the rate of NumPy's 2048³ product and its arrays at the rate of a copy
that is larger than every cache. Both are counted three times with backward. A case may pass its limit: by a form that
needs fewer multiplications, or because its arrays stay in a cache.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from statistics import median
from typing import Any

from . import driver
from .atlas_cases import Case, draw_cases
from .atlas_tables import row, summary, table
from .catalog import SIDES, Plan
from .driver import HERE, Worker, WorkerError

PASSES = {"forward": False, "backward": True}
TURN = 0.04  # seconds a side, pass and round


def measure(plan: Plan, show: Callable[[str], None]) -> dict[str, Any]:
    """One entry a case: for each pass the median seconds of each side and of each round, and the limit."""
    cases, sides = draw_cases(plan.cases, plan.seed), ("minigen", *plan.peers)
    show(f"atlas of {len(cases)} cases (seed {plan.seed}), ms and ratio to minigen's, {plan.threads} threads each")
    prepare_kernels(cases, plan)
    product_rate, memory_rate = machine_rates(plan)
    show(f"NumPy's {driver.PRODUCT}³ product: {product_rate:.0f} GFLOP/s; a copy: {memory_rate / 1e9:.1f} GB/s")
    show(table(plan.peers).heading())
    entries = []
    with ExitStack() as stack:
        workers = {
            side: stack.enter_context(Worker(side, plan.threads, dict(SIDES[side].environment))) for side in sides
        }
        for case in cases:
            entries.append(asdict(case) | {"name": case.name} | measure_case(case, workers, plan.rounds))
            seconds = max(case.gflop / product_rate, case.bytes / memory_rate)
            entries[-1]["limit"] = {name: (1 + 2 * back) * seconds for name, back in PASSES.items()}
            show(table(plan.peers).line(row(entries[-1], plan.peers)))
    show("\n".join(summary(entries, plan.peers)))
    return {"seed": plan.seed, "product_gflops": product_rate, "memory_rate": memory_rate, "cases": entries}


def prepare_kernels(cases: Sequence[Case], plan: Plan) -> None:
    """Have minigen compile what is missing, in a process that is then left."""
    with Worker("minigen", plan.threads) as worker:
        for case in {case.build: case for case in cases}.values():
            prepare(worker, case, "backward")


def prepare(worker: Worker, case: Case, name: str) -> None:
    """Have one pass of a case ready under its name."""
    side = SIDES[worker.side]
    arguments = case.build, case.sizes, PASSES[name], *side.options
    worker.call("prepare", name, str(HERE / f"atlas_{side.package}.py"), "case", *arguments)


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
            for name in PASSES:  # in the place of the case before
                prepare(worker, case, name)
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

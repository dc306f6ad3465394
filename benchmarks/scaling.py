"""How a step's cost grows with the batch, and what a second thread brings; minigen alone, in turns as everywhere."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from . import driver
from .catalog import SCALED, THREADED, WORKLOADS, Plan
from .driver import Worker
from .report import Table, milliseconds, share, times
from .steps import prepare

BATCHES = (16, 32, 64, 128, 256, 512)
QUICK = (16, 64)
LOSSES = 10  # steps after which one thread and several must have given the same losses, to the last bit


def measure(plan: Plan, show: Callable[[str], None]) -> dict[str, Any]:
    """Median seconds by batch size, and by threads with whether the losses were the same."""
    batches = QUICK if plan.quick else BATCHES
    show("cost of an image, ms, by batch size")
    show(table(batches).heading())
    over_batches = []
    for name in SCALED:
        over_batches.append(measure_batches(name, batches, plan))
        show(table(batches).line(row(over_batches[-1])))
    over_threads = []
    if plan.threads > 1:
        show("")
        show(f"one thread and {plan.threads}, ms a step")
        show(thread_table(plan.threads).heading())
        for name in THREADED:
            over_threads.append(measure_threads(name, plan))
            show(thread_table(plan.threads).line(thread_row(over_threads[-1])))
    return {"batches": over_batches, "threads": over_threads}


def measure_batches(name: str, batches: Sequence[int], plan: Plan) -> dict[str, Any]:
    """The batch sizes take turns in one process."""
    rounds: dict[int, list[list[float]]] = {batch: [] for batch in batches}
    with Worker("minigen", plan.threads) as worker:
        for batch in batches:
            prepare(worker, name, batch, key=str(batch))
            worker.receive()
        for _ in range(plan.rounds):
            for batch, taken in rounds.items():
                taken.append(worker.call("run", str(batch), plan.turn / 2))
    return {
        "name": name,
        "batches": list(batches),
        "seconds": [median(driver.flat(taken)) for taken in rounds.values()],
        "round_seconds": [[median(seconds) for seconds in taken] for taken in rounds.values()],
    }


def measure_threads(name: str, plan: Plan) -> dict[str, Any]:
    """A process with one core and one with all take turns."""
    with Worker("minigen", 1) as one, Worker("minigen", plan.threads) as several:
        workers = (one, several)
        rounds: list[list[list[float]]] = [[], []]
        for worker in workers:
            prepare(worker, name)
            worker.receive()
        losses = [worker.call("losses", "step", LOSSES) for worker in workers]
        for _ in range(plan.rounds):
            for worker, taken in zip(workers, rounds, strict=True):
                taken.append(driver.take_turn(worker, "step", plan.turn))
    return {
        "name": name,
        "threads": [1, plan.threads],
        "seconds": [median(driver.flat(taken)) for taken in rounds],
        "round_seconds": [[median(seconds) for seconds in taken] for taken in rounds],
        "same_bits": losses[0] == losses[1],
    }


# ---------------------------------------------------------------- tables


def per_image(entry: Mapping[str, Any]) -> list[float]:
    """Seconds of an image, by batch size."""
    return [seconds / batch for seconds, batch in zip(entry["seconds"], entry["batches"], strict=True)]


def off_line(entry: Mapping[str, Any]) -> float:
    """Largest relative distance of a step's time from the line a + b·batch that fits best, relatively."""
    seconds, batches = np.array(entry["seconds"]), np.array(entry["batches"], float)
    terms = np.stack([np.ones_like(batches), batches], axis=1) / seconds[:, None]
    fit, *_ = np.linalg.lstsq(terms, np.ones_like(seconds), rcond=None)
    return float(np.abs(terms @ fit - 1).max())


def table(batches: Sequence[int]) -> Table:
    """A column each batch size; how far the cost of an image is from constant, and that of a step from linear."""
    return Table([("batch", -16), *[(str(batch), 8) for batch in batches], ("max/min", 8), ("off a line", 10)])


def row(entry: Mapping[str, Any]) -> list[str]:
    """One line of figures."""
    costs = per_image(entry)
    spread = times(max(costs) / min(costs))
    return [WORKLOADS[entry["name"]].build, *map(milliseconds, costs), spread, share(off_line(entry))]


def thread_table(threads: int) -> Table:
    """The two times, their ratio, and whether the results are the same."""
    return Table([("threads", -16), ("1", 8), (str(threads), 8), ("gain", 8), ("same bits", 10)])


def thread_row(entry: Mapping[str, Any]) -> list[str]:
    """One line of figures."""
    one, several = entry["seconds"]
    same = "yes" if entry["same_bits"] else "NO"
    return [entry["name"], milliseconds(one), milliseconds(several), times(one / several), same]

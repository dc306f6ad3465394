"""Training steps of minigen and its peers, in turns, and the peak memory of each side's process."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from statistics import geometric_mean, median
from typing import Any

from . import driver
from .catalog import REFERENCE, SIDES, WORKLOADS, Plan
from .driver import HERE, Worker, WorkerError
from .report import NOTHING, Table, milliseconds, share, times

MIB = 2**20


def measure(plan: Plan, show: Callable[[str], None]) -> list[dict[str, Any]]:
    """One entry a workload: medians in seconds, their rounds, peak bytes, the machine's rate, and who could not run."""
    prepare_kernels(plan)
    sides, entries = ("minigen", *plan.peers), []
    show(f"training steps, ms and ratio to minigen's, {plan.threads} threads each")
    show(table(sides).heading())
    for name in plan.workloads:
        entries.append(measure_workload(name, plan))
        show(table(sides).line(row(entries[-1], sides)))
        for line in failures(entries[-1]):
            show(f"  {line}")
    show(summary(entries, plan.peers))
    show("")
    show("peak memory of a side's process, MiB, libraries included")
    show(memory_table(sides).heading())
    for entry in entries:
        show(memory_table(sides).line(memory_row(entry, sides)))
    return entries


def prepare_kernels(plan: Plan) -> None:
    """Have minigen compile what is missing, in a process that is then left: compiling takes memory."""
    with Worker("minigen", plan.threads) as worker:
        for name in plan.workloads:
            prepare(worker, name)
            worker.receive()


def prepare(worker: Worker, name: str, batch: int | None = None, key: str = "step") -> None:
    """Tell a worker to build a workload; `receive` then waits until it has run its first steps."""
    side, workload = SIDES[worker.side], WORKLOADS[name]
    worker.send(
        "prepare",
        key,
        str(HERE / f"{workload.kind}{side.file}"),
        workload.build,
        batch or workload.batch,
        *side.options,
    )


def measure_workload(name: str, plan: Plan) -> dict[str, Any]:
    """The entry of one workload. Raises WorkerError when minigen itself can not run it."""
    failed: dict[str, str] = {}
    rounds: dict[str, list[list[float]]] = {}
    peaks: dict[str, int] = {}
    products: list[list[float]] = []
    with ExitStack() as stack:
        workers = []
        for side in ("minigen", *plan.peers):
            worker = stack.enter_context(Worker(side, plan.threads, dict(SIDES[side].environment)))
            prepare(worker, name)
            workers.append(worker)
        product = stack.enter_context(driver.product_worker(plan.threads))
        product.receive()

        def ask(worker: Worker, answer: Callable[[], Any]) -> Any:
            """The worker's answer; None, and it is out, when it is a peer's that failed."""
            try:
                return answer()
            except WorkerError as error:
                if worker.side == "minigen":
                    raise
                failed[worker.side] = str(error)
                workers.remove(worker)

        for worker in list(workers):
            ask(worker, worker.receive)
        for _ in range(plan.rounds):
            products.append(driver.take_turn(product, "product", plan.turn))
            for worker in list(workers):
                taken = ask(worker, lambda worker=worker: driver.take_turn(worker, "step", plan.turn))
                rounds.setdefault(worker.side, []).append(taken)
        for worker in list(workers):
            peaks[worker.side] = ask(worker, lambda worker=worker: worker.call("peak"))
    done = {side: taken for side, taken in rounds.items() if side not in failed}
    return {
        "name": name,
        "batch": WORKLOADS[name].batch,
        "gflop": WORKLOADS[name].gflop,
        "seconds": {side: median(driver.flat(taken)) for side, taken in done.items()},
        "round_seconds": {side: [median(seconds) for seconds in taken] for side, taken in done.items()},
        "steps": {side: len(driver.flat(taken)) for side, taken in done.items()},
        "peak_bytes": {side: peak for side, peak in peaks.items() if side not in failed},
        "product_gflops": driver.rate(driver.flat(products)),
        "round_product_gflops": [driver.rate(seconds) for seconds in products],
        "failed": failed,
    }


# ---------------------------------------------------------------- tables


def ratio(entry: Mapping[str, Any], peer: str) -> float | None:
    """How many times as long as minigen the peer takes."""
    seconds = entry["seconds"]
    return seconds[peer] / seconds["minigen"] if peer in seconds else None


def best_ratio(entry: Mapping[str, Any]) -> float | None:
    """The ratio to the fastest peer; None without peers."""
    peers = [seconds for side, seconds in entry["seconds"].items() if side != "minigen"]
    return min(peers) / entry["seconds"]["minigen"] if peers else None


def table(sides: Sequence[str]) -> Table:
    """The columns: a side each, then what minigen's rate is worth."""
    peers = [(side, 15) for side in sides[1:]]
    best = [("best peer", 9)] if peers else []
    return Table([("step", -16), (sides[0], 8), *peers, *best, ("GFLOP/s", 8), ("of product", 10)])


def row(entry: Mapping[str, Any], sides: Sequence[str]) -> list[str]:
    """One line of figures."""
    own = entry["seconds"]["minigen"]
    seconds = entry["seconds"]
    peers = [
        f"{milliseconds(seconds[side])} {times(ratio(entry, side)):>6}" if side in seconds else NOTHING
        for side in sides[1:]
    ]
    best = [times(best_ratio(entry))] if peers else []
    speed = entry["gflop"] / own
    rates = [f"{speed:.1f}", share(speed / entry["product_gflops"])] if speed else [NOTHING, NOTHING]
    return [entry["name"], milliseconds(own), *peers, *best, *rates]


def failures(entry: Mapping[str, Any]) -> list[str]:
    """A line for each peer that could not run the workload, with the reason."""
    return [
        f"{side} could not run {entry['name']}: {reason.removeprefix(f'{side}: ')}"
        for side, reason in entry["failed"].items()
    ]


def summary(entries: Sequence[Mapping[str, Any]], peers: Sequence[str]) -> str:
    """The geometric means of the ratios: to each peer over the workloads that it could run, and to the best."""
    rate = f"NumPy's {driver.PRODUCT}³ product: {median(entry['product_gflops'] for entry in entries):.0f} GFLOP/s"
    ordered = sorted(peers, key=lambda peer: peer != REFERENCE)
    ratios = {peer: [value for entry in entries if (value := ratio(entry, peer))] for peer in ordered}
    ratios["the best peer"] = [value for entry in entries if (value := best_ratio(entry))]
    means = [f"{times(geometric_mean(values))} {peer}" for peer, values in ratios.items() if values]
    return f"geometric mean: {', '.join(means)}. {rate}" if means else rate


def memory_table(sides: Sequence[str]) -> Table:
    """The columns: a side each."""
    return Table([("peak MiB", -16), (sides[0], 8), *[(side, 15) for side in sides[1:]]])


def memory_row(entry: Mapping[str, Any], sides: Sequence[str]) -> list[str]:
    """One line of peaks."""
    peaks = {side: peak / MIB for side, peak in entry["peak_bytes"].items()}
    own = peaks["minigen"]
    others = [f"{peaks[side]:.0f} {times(peaks[side] / own):>6}" if side in peaks else NOTHING for side in sides[1:]]
    return [entry["name"], f"{own:.0f}", *others]

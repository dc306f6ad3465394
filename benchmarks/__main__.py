"""Times one training step of each reference workload, minigen and PyTorch in turn, and prints a table.

Absolute times on a shared machine mean little, so both sides run in turns within one process, beside a NumPy matrix
product that tells what the machine gives at that moment. The table shows medians, their ratio, and the share of that.

    python -m benchmarks [NAME …]
"""

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from statistics import median
from types import ModuleType

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import workloads
from minigen.config import config

Step = Callable[[], float]

# Multiply-adds of one step, counted as two operations, in 10⁹.
WORK = {"gan_mlp_b64": 0.83, "dcgan_b64": 23.7, "vae_mlp_b128": 0.54, "cnn_mnist_b64": 4.6, "tiny_mlp_b8": 0.0}
ROUNDS = 7
TURN = 0.4  # seconds that one side runs before the other takes over


def main() -> None:
    """Measure the workloads named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(WORK)}")
    names = parser.parse_args().names or list(WORK)
    for name in names:
        if name not in WORK:
            parser.error(f"unknown workload {name}; known: {', '.join(WORK)}")
    peer = torch_workloads()
    print(f"{'step':<16}{'minigen ms':>12}{'torch ms':>12}{'ratio':>8}{'GFLOP/s':>10}{'of numpy':>10}")
    for name in names:
        steps = [getattr(side, name)() for side in (workloads, peer) if side is not None]
        (own, *others), rate = measure(steps)
        speed = WORK[name] / own
        columns = f"{others[0] * 1e3:>12.3f}{others[0] / own:>8.2f}" if others else f"{'–':>12}{'–':>8}"
        print(f"{name:<16}{own * 1e3:>12.3f}{columns}{speed:>10.1f}{speed / rate:>10.0%}", flush=True)


def torch_workloads() -> ModuleType | None:
    """The PyTorch side, or None, after saying so, when it is not installed."""
    try:
        return import_module("benchmarks.torch_workloads")
    except ImportError as error:
        print(f"without PyTorch ({error}); pip install -e '.[parity]' brings it")
        return None


def measure(steps: list[Step]) -> tuple[list[float], float]:
    """Median seconds of each step, taken in turns, and the machine's rate meanwhile in GFLOP/s."""
    for step in steps:
        for _ in range(3):
            step()
    times: list[list[float]] = [[] for _ in steps]
    rates = []
    for _ in range(ROUNDS):
        rates.append(product_rate())
        for step, taken in zip(steps, times, strict=True):
            step()  # the first of a turn meets the other side's caches and threads
            taken += run_for(step, TURN)
    return [median(taken) for taken in times], median(rates)


def run_for(step: Step, seconds: float) -> list[float]:
    """Seconds of each call, for about so long and at least two calls."""
    taken: list[float] = []
    while len(taken) < 2 or sum(taken) < seconds:
        began = time.perf_counter()
        step()
        taken.append(time.perf_counter() - began)
    return taken


def product_rate(n: int = 2048) -> float:
    """GFLOP/s of a single-precision n×n matrix product."""
    a = np.ones((n, n), np.float32)
    with threadpool_limits(config.threads, user_api="blas"):  # the kernels keep it at one otherwise
        began = time.perf_counter()
        _ = a @ a
        return 2 * n**3 / (time.perf_counter() - began) / 1e9


if __name__ == "__main__":
    main()

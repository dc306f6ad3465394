"""Single kernels, beside the rate of NumPy's 2048³ product on the same cores: a roofline, one line a kernel.

The rate of a convolution counts N·OH·OW·KH·KW·Cin·Cout multiply-adds, whatever the algorithm does. One that needs
fewer may pass 100 %: Winograd's, or any that skips the zeros of the padding.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from . import driver
from .catalog import Plan
from .driver import HERE, Worker
from .report import Table, milliseconds, share

KERNELS = ("forward", "input gradient", "weight gradient")

# (workloads, function of kernel_calls.py, its arguments). The kernels of a transposed convolution are those of the
# convolution that it is the adjoint of: its forward is that one's input gradient.
LAYERS = (
    ("cnn", "conv2d", (64, 28, 1, 32, 3, 1, 0)),
    ("cnn", "conv2d", (64, 26, 32, 64, 3, 1, 0)),
    ("dcgan", "conv2d", (64, 28, 1, 64, 5, 2, 2)),
    ("dcgan", "conv2d", (64, 14, 64, 128, 5, 2, 2)),
    ("dcgan", "conv2d", (64, 7, 128, 128, 5, 1, 2)),
    ("gan", "dense", (64, 784, 512)),
    ("vae", "dense", (128, 784, 512)),
    ("cnn", "dense", (64, 9216, 128)),
    ("dcgan", "dense", (64, 100, 6272)),
    ("", "dense", (2048, 2048, 2048)),
)
QUICK = LAYERS[1:2]
TURN = 0.06  # seconds a kernel and round


def measure(plan: Plan, show: Callable[[str], None]) -> list[dict[str, Any]]:
    """One entry a kernel: its layer, work, and median seconds; and the machine's rate meanwhile."""
    cases = [
        {
            "layer": layer_name(workload, function, sizes),
            "kernel": kernel,
            "gflop": work(function, sizes),
            "call": [function, kernel, *sizes],
        }
        for workload, function, sizes in (QUICK if plan.quick else LAYERS)
        for kernel in KERNELS
    ]
    seconds: list[list[list[float]]] = [[] for _ in cases]
    products: list[list[float]] = []
    with driver.product_worker(plan.threads) as product, Worker("minigen", plan.threads) as worker:
        product.receive()
        for i, case in enumerate(cases):
            worker.call("prepare", str(i), str(HERE / "kernel_calls.py"), *case["call"])
        for _ in range(plan.rounds):
            products.append(driver.take_turn(product, "product", plan.turn))
            time.sleep(driver.REST)
            for i in range(len(cases)):
                seconds[i].append(worker.call("run", str(i), TURN))
    rate = driver.rate(driver.flat(products))
    show(f"kernels beside NumPy's {driver.PRODUCT}³ product, {rate:.0f} GFLOP/s, {plan.threads} threads each")
    show("(the plain algorithm's work is counted; one that needs fewer multiplications may pass 100 %)")
    show(TABLE.heading())
    entries = []
    for case, rounds in zip(cases, seconds, strict=True):
        entries.append(
            {name: case[name] for name in ("layer", "kernel", "gflop")}
            | {"seconds": median(driver.flat(rounds)), "round_seconds": [median(taken) for taken in rounds]}
            | {"product_gflops": rate}
        )
        show(TABLE.line(row(entries[-1])))
    return entries


def layer_name(workload: str, function: str, sizes: Sequence[int]) -> str:
    """A layer as a reader would write it."""
    if function == "dense":
        batch, inputs, outputs = sizes
        return f"{workload} dense {inputs}→{outputs}, batch {batch}".strip()
    _, size, inputs, outputs, k, stride, _ = sizes
    return f"{workload} {k}×{k} {inputs}→{outputs}, {size}×{size}, stride {stride}"


def work(function: str, sizes: Sequence[int]) -> float:
    """Multiply-adds of any of the layer's kernels, counted as two operations, in 10⁹."""
    if function == "dense":
        batch, inputs, outputs = sizes
        return 2e-9 * batch * inputs * outputs
    batch, size, inputs, outputs, k, stride, padding = sizes
    out = (size + 2 * padding - k) // stride + 1
    return 2e-9 * batch * out * out * k * k * inputs * outputs


TABLE = Table([("layer", -36), ("kernel", -16), ("ms", 8), ("GFLOP/s", 8), ("of product", 10)])


def row(entry: Mapping[str, Any]) -> list[str]:
    """One line of figures."""
    speed = entry["gflop"] / entry["seconds"]
    share_ = share(speed / entry["product_gflops"])
    return [entry["layer"], entry["kernel"], milliseconds(entry["seconds"]), f"{speed:.1f}", share_]

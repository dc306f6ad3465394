"""Some kernels of every kind against their twins: what a Numba must get right before it is used (`compiler/choice.py`).

`python -m minigen.kernels.self_test` ends with status 0 when all agree.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigen.kernels import compiled, reference


def calls() -> Iterator[tuple[Any, ...]]:
    """(kernel's name, arguments): sizes that are shared out among threads and fill no tile evenly."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    yield "matmul", draw(67, 130), draw(130, 259)
    yield "matmul", draw(131, 67).T, draw(259, 131).T, draw(259), 0.2
    for depth, columns in ((1, 21), (32, 64)):  # as gathered products, and by minimal filtering
        x, w, gy = draw(8, 14, 14, depth), draw(3, 3, depth, columns), draw(8, 14, 14, columns)
        geometry = (1, 1), (1, 1, 1, 1), (1, 1), 1
        yield "conv2d", x, w, *geometry
        yield "conv2d_input_grad", gy, w, (14, 14), *geometry
        yield "conv2d_weight_grad", x, gy, (3, 3), *geometry
    yield "lstm", draw(20, 5, 9), draw(20, 40), draw(20, 40), draw(9, 160), draw(40, 160), draw(160), None
    yield "attend", draw(2, 33, 40), draw(2, 33, 40), draw(2, 33, 40), 2, True, None
    yield "batch_norm", draw(4000, 33), draw(33), draw(33), 1e-5
    yield "cross_entropy", draw(70, 11), np.arange(70) % 11, 0.1
    yield "gelu", draw(5, 7001)
    yield "adam", *draw(3, 40_001), draw(40_001) ** 2, 1e-3, 0.9, 0.999, 1e-8, 0.01, True, 3
    yield "scatter_rows", draw(9, 5), np.arange(9) % 4, 4


def arrays(kernel: Callable[..., Any], arguments: list[Any]) -> list[np.ndarray]:
    """What a kernel returns, and its arguments, some of which it may have changed."""
    given = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    result = kernel(*given)
    results = result if isinstance(result, tuple) else (result,)
    return [array for array in (*results, *given) if isinstance(array, np.ndarray)]


def run() -> None:
    """Raise AssertionError, with the kernel's name, at the first that differs from its twin."""
    for name, *arguments in calls():
        for ours, twin in zip(*(arrays(getattr(form, name), arguments) for form in (compiled, reference)), strict=True):
            if not np.allclose(ours, twin, rtol=1e-4, atol=1e-4 * np.abs(twin).max(initial=0)):
                raise AssertionError(f"{name} differs from its twin")  # said so, since python -O leaves out asserts


if __name__ == "__main__":
    run()

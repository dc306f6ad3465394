"""Tasks: each runs once, on every number of threads, and a failure is not lost."""

import os
import subprocess
import sys

import numpy as np
import pytest

from minigen.config import config
from minigen.kernels.compiler.jit import tasks


@tasks
def fill(i, scale, out):
    """out[i] = scale * i, one more each time it runs."""
    out[i] += scale * i


@tasks
def reserve(i, count, out):
    """out[i] = how many zeros there are, having made them."""
    out[i] = np.zeros(count if i == 1 else 1, np.float64).size


@pytest.mark.parametrize("threads", [1, config.threads])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_task_runs_once(threads: int, count: int, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "threads", threads)
    out = np.zeros(1000, dtype)
    fill(count, dtype(0.5), out)
    np.testing.assert_array_equal(out, np.where(np.arange(1000) < count, 0.5 * np.arange(1000), 0).astype(dtype))


def test_tracemalloc_may_trace_tasks_that_allocate() -> None:
    """In a process of its own, which would hang if they ran on several threads."""
    code = (
        "import tracemalloc, numpy as np, minigen as mg\n"
        "x, w = mg.ones(32, 28, 28, 16), mg.ones(3, 3, 16, 32)\n"
        "step = mg.record(lambda x: mg.conv2d(x, w, stride=2, padding=1))\n"
        "for i in range(6):\n"
        "    step(x)\n"
        "    if i == 3: tracemalloc.start()\n"
    )
    environment = os.environ | {"MINIGEN_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)


@pytest.mark.parametrize("threads", [1, config.threads])
def test_a_task_without_memory_raises(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "threads", threads)
    out = np.zeros(2)
    reserve(2, 3, out)
    assert out.tolist() == [1, 3]
    with pytest.raises(MemoryError, match="reserve"):
        reserve(2, 2**55, out)

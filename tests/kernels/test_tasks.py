"""Tasks: each runs once, on every number of threads, and a failure is not lost."""

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


@pytest.mark.parametrize("threads", [1, config.threads])
def test_a_task_without_memory_raises(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "threads", threads)
    out = np.zeros(2)
    reserve(2, 3, out)
    assert out.tolist() == [1, 3]
    with pytest.raises(MemoryError, match="reserve"):
        reserve(2, 2**55, out)

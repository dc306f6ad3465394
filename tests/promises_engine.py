"""Promises of the engine: tensors, gradients, graphs."""

from pathlib import Path

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg

CASES: list[Promise] = []


@promise(CASES, "`y.numpy()` of a tensor that requires a gradient", "GradientError: use `.detach().numpy()`")
def numpy_of_a_recorded_tensor(folder: Path) -> None:
    with pytest.raises(mg.errors.GradientError, match="detach"):
        mg.tensor(np.ones(2), requires_grad=True).numpy()

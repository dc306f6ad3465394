"""Norms without a weight, without a bias, or without both."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers


@pytest.mark.parametrize("make", [layers.BatchNorm, layers.LayerNorm])
@pytest.mark.parametrize("missing", ["weight", "bias"])
def test_one_that_is_taken_away_does_not_take_the_other_along(make: Any, missing: str):
    layer, x = make(3), mg.random.generator(0).normal(size=(5, 3)).astype(np.float32)
    plain = layer(x).data
    with mg.no_grad():
        layer.weight[...] = 2.0
        layer.bias[...] = 1.0
    setattr(layer, missing, None)
    np.testing.assert_allclose(layer(x).data, plain * 2 if missing == "bias" else plain + 1, rtol=1e-5, atol=1e-6)

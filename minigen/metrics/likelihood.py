"""How probable a model finds data, in nats and in bits."""

import math
from typing import Any

import numpy as np

from minigen.checks import check_count
from minigen.errors import DataError, ShapeError
from minigen.metrics.arrays import plain_array, real


class ImportanceBound:
    """log 1/k Σ_i w_i of each item, from log weights that come in parts, so that memory does not depend on k.

    w_i = p(x, z_i) / q(z_i|x) with z_i ~ q(z|x). The mean over draws is a lower bound on log p(x) that rises with k;
    k = 1 is the ELBO. Burda et al. 2016, equations 7 and 8.

        bound = ImportanceBound(len(x))
        for part in parts:
            bound.add(log_weights)  # (N, samples of this part)
        bound.nats()  # (N,)
    """

    def __init__(self, items: int) -> None:
        self.largest = np.full(check_count("ImportanceBound", "items", items), -np.inf)
        self.total = np.zeros(items)  # of exp(log w - largest)
        self.k = 0

    def add(self, log_weights: Any) -> None:
        """More samples, (N, any number of them). Raises ShapeError, or DataError for NaN or plus infinity."""
        given = plain_array(log_weights, "ImportanceBound.add").astype(np.float64)
        if given.ndim != 2 or len(given) != len(self.total) or not given.shape[1]:
            raise ShapeError(
                f"ImportanceBound.add: log_weights are {given.shape}; pass ({len(self.total)}, samples), a row an item"
            )
        if np.isnan(given).any() or (given == np.inf).any():
            raise DataError("ImportanceBound.add: log_weights hold NaN or infinity; look at the model's terms")
        largest = np.maximum(self.largest, given.max(1))
        safe = np.where(np.isfinite(largest), largest, 0.0)  # where all weights so far are 0
        self.total = self.total * np.exp(self.largest - safe) + np.exp(given - safe[:, None]).sum(1)
        self.largest = largest
        self.k += given.shape[1]

    def nats(self) -> np.ndarray:
        """The bound of each item (N,). Raises ShapeError before the first samples."""
        if not self.k:
            raise ShapeError("ImportanceBound.nats: there are no samples yet; add some log weights")
        with np.errstate(divide="ignore"):
            return self.largest + np.log(self.total) - math.log(self.k)


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """A negative log-likelihood of one item in bits for each of its numbers: nats / (dimensions · ln 2).

    For a density of pixels with 256 levels that were scaled to [0, 1] add log₂ 256 = 8. Raises DTypeError,
    ArgumentError.
    """
    return real("bits_per_dimension", nats) / (
        check_count("bits_per_dimension", "dimensions", dimensions) * math.log(2)
    )

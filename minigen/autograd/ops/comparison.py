"""Elementwise comparisons with NumPy's broadcasting. They give booleans, which have no gradient."""

from collections.abc import Callable

import numpy as np

from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import shown
from minigen.errors import DTypeError, ShapeError
from minigen.kernels.noting import applied


def comparison(ufunc: np.ufunc) -> Callable[[Operand, Operand], Tensor]:
    """A broadcasting comparison, giving booleans without gradient."""

    def compare(a: Operand, b: Operand) -> Tensor:
        a, b = (x.data if isinstance(x, Tensor) else x for x in (a, b))
        try:
            return Tensor(applied(ufunc, a, b))
        except (TypeError, OverflowError):
            pair = f"{shown(a)} with {shown(b)}"
            raise DTypeError(f"{ufunc.__name__}: can not compare {pair}; both must be numbers that fit") from None
        except ValueError:
            raise ShapeError(f"{ufunc.__name__}: shapes {np.shape(a)} and {np.shape(b)} do not broadcast") from None

    compare.__name__ = ufunc.__name__
    compare.__doc__ = (
        f"Elementwise np.{ufunc.__name__} of a and b as booleans, without gradient. Raises ShapeError or DTypeError."
    )
    return compare


equal = comparison(np.equal)
not_equal = comparison(np.not_equal)
less = comparison(np.less)
less_equal = comparison(np.less_equal)
greater = comparison(np.greater)
greater_equal = comparison(np.greater_equal)

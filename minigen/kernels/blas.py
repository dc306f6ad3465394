"""Products that are left to NumPy's BLAS, whose sums are kept from drifting."""

import numpy as np

from minigen.kernels.noting import applied, run

DEEP_TERMS = 1024  # from which BLAS may drift: for a small result some processors add one term after the other,
CUT_TERMS = 256  # so that sums are cut into as many terms, and those added in float64;
WIDE = 64  # rows and columns from which it cuts sums itself


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b: (…, M, K), (…, K, N) → (…, M, N), leading axes broadcast, into `out` if there is one."""
    (m, depth), n = a.shape[-2:], b.shape[-1]
    if depth <= DEEP_TERMS or min(m, n) >= WIDE or a.dtype.kind != "f":
        if out is None:
            return applied(np.matmul, a, b)
        run(np.matmul, a, b, out)
        return out
    c = np.empty((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), m, n), a.dtype) if out is None else out
    run(product_in_parts, a, b, c)
    return c


def product_in_parts(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """a @ b into `out`, the sums cut into parts."""
    depth, n = b.shape[-2:]
    cuts = depth // CUT_TERMS
    whole = cuts * CUT_TERMS
    lefts = a[..., :whole].reshape(*a.shape[:-1], cuts, CUT_TERMS).swapaxes(-2, -3)
    rights = b[..., :whole, :].reshape(*b.shape[:-2], cuts, CUT_TERMS, n)
    total = np.matmul(lefts, rights).sum(axis=-3, dtype=np.float64)
    total += np.matmul(a[..., whole:], b[..., whole:, :])
    np.add(total, 0, out=out, casting="same_kind")

"""Products that are left to NumPy's BLAS, whose sums are kept from drifting."""

import numpy as np

DEEP_TERMS = 1024  # from which BLAS may drift: for a small result some processors add one term after the other,
CUT_TERMS = 256  # so that sums are cut into as many terms, and those added in float64;
WIDE = 64  # rows and columns from which it cuts sums itself


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b: (…, M, K), (…, K, N) → (…, M, N), leading axes broadcast, into `out` if there is one."""
    if a.shape[-1] <= DEEP_TERMS:
        return np.matmul(a, b, out)
    (m, depth), n = a.shape[-2:], b.shape[-1]
    if min(m, n) >= WIDE or a.dtype.kind != "f":
        return np.matmul(a, b, out)
    cuts = depth // CUT_TERMS
    whole = cuts * CUT_TERMS
    lefts = a[..., :whole].reshape(*a.shape[:-1], cuts, CUT_TERMS).swapaxes(-2, -3)
    rights = b[..., :whole, :].reshape(*b.shape[:-2], cuts, CUT_TERMS, n)
    total = np.matmul(lefts, rights).sum(axis=-3, dtype=np.float64)
    total += np.matmul(a[..., whole:], b[..., whole:, :])
    return total.astype(a.dtype) if out is None else np.add(total, 0, out=out, casting="same_kind")

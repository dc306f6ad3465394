"""exp, log1p and erfc of one float32 in plain arithmetic, for use inside kernels.

A loop that calls the C library once per element does not vectorise; a loop over these does, which makes it five to
twenty times faster. Relative error: 3e-7. NaN goes through. Kernels in float64 leave
such functions to the NumPy twins.
"""

import math

import numpy as np

from minigen.kernels.compiler.jit import fma, part

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)

LOG2_E = np.float32(math.log2(math.e))
LN2 = np.float32(math.log(2))
EXP_LOWEST = np.float32(-88)  # exp of less is below the smallest normal number, and becomes 0
EXPONENT_BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)

E2, E3, E4, E5, E6, E7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))
L0, L1, L2, L3, L4, L5, L6, L7 = (np.float32(2 / (2 * k + 1)) for k in range(8))

# -log(erfc(a)) / a as a polynomial in a: Chebyshev interpolation on [0, ERFC_HIGHEST], relative error 5e-9.
ERFC_HIGHEST = np.float32(3.95)  # erfc of more is below half a unit in the last place of 1, and becomes 0
ERFC_COEFFICIENTS = (
    *(1.1283791684907392, 0.6366197105572199, 0.10277200830754053, -0.01911653696823788, -0.00026684962332142095),
    *(0.0018319003517098798, -0.0007773410664668633, 0.00019016020016856595, -2.9214359844257993e-05),
    *(2.61784249317247e-06, -1.04536917177188e-07),
)
C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10 = (np.float32(c) for c in ERFC_COEFFICIENTS)


@part
def exp_parts(x):
    """(scale, tail) with exp(x) = scale + tail and expm1(x) = (scale - 1) + tail, both exact near 0, for x ≤ 0."""
    x = EXP_LOWEST if x < EXP_LOWEST else x
    n = np.floor(x * LOG2_E + HALF)
    r = x - n * LN2  # one fused multiply-add, so that nothing is lost before the difference is taken
    series = r * ((((((E7 * r + E6) * r + E5) * r + E4) * r + E3) * r + E2) * r + ONE)
    scale = np.int32((np.int32(n) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)
    return scale, scale * series


@part
def exp_negative(x):
    """exp(x) for x ≤ 0."""
    scale, tail = exp_parts(x)
    return scale + tail


@part
def log1p_unit(u, base):
    """base + log(1 + u) for u in [0, 1], by 2·artanh(u / (2 + u))."""
    s = u / (TWO + u)
    z = s * s
    return fma(s, ((((((L7 * z + L6) * z + L5) * z + L4) * z + L3) * z + L2) * z + L1) * z + L0, base)


@part
def erfc_parts(a):
    """(scale, tail) with erfc(a) = scale + tail and erf(a) = (1 - scale) - tail, for a ≥ 0."""
    low = (((C5 * a + C4) * a + C3) * a + C2) * a + C1
    p = ((((((C10 * a + C9) * a + C8) * a + C7) * a + C6) * (a * a * a * a * a)) + low) * a + C0
    return exp_parts(EXP_LOWEST if a > ERFC_HIGHEST else -(a * p))

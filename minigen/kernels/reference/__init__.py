"""The plain NumPy twin of every kernel, same names and signatures, one file for each kernel module.

They serve three times: as the oracle that tests hold the compiled kernels against, as the backend of a machine without
Numba (MINIGEN_BACKEND=numpy), and as the shortest description of what each kernel computes. So each twin is written
the way its equation reads, and nothing here is tuned.
"""

from minigen.kernels.reference.attention import *
from minigen.kernels.reference.bias import *
from minigen.kernels.reference.convolution import *
from minigen.kernels.reference.dense import *
from minigen.kernels.reference.elementwise import *
from minigen.kernels.reference.embedding import *
from minigen.kernels.reference.losses import *
from minigen.kernels.reference.mask import *
from minigen.kernels.reference.normalization import *
from minigen.kernels.reference.optimizer import *
from minigen.kernels.reference.pooling import *
from minigen.kernels.reference.recurrent import *

"""Arrays in, arrays out: the numeric kernels under every operation, and the choice between their two forms.

`kernels.conv2d` and the rest resolve on first use: to the function compiled by Numba that `compiled.py` names, or to
its plain NumPy twin in `reference/` when MINIGEN_BACKEND is numpy or Numba does not work. Importing this costs nothing.

Where to begin: `reference/` says what each kernel computes, in the fewest lines. Then by room:

    rows/         element by element and row by row: activations, losses, normalization, pooling, optimizers
    tile/         the product of matrices, and the register tile that every product is made of
    convolution/  as gathered products, or by minimal filtering
    recurrent/    whole sequences, a worker to each run of them
    attention/    scaled dot products, block by block
    compiler/     what stands between these and Numba: decorators, cache on disk, process settings
    noting.py     how a recorded step hears of all this; joining.py makes one function of kernels that follow each other

Their words:

    share, worker   work is cut into as many shares as there are threads; a worker does one
    task            a piece of work that no other depends on; `@tasks` hands them to threads
    run             neighbours that one thread, or one loop, takes after each other
    part            a function compiled only inside the kernels that call it (`@part`)
    block           as much of a sum, or of a result, as stays in a cache while it is worked on (for terms: KC, 1024)
    strip           columns of a matrix that are worked on together
    tile            the piece of a product that stays in registers: rows x panel numbers. Its loop is the micro-kernel
    form            how many vectors wide a tile is: a tuple of that length. The usual one has ROWS rows (MR)
    panel           as many columns as a tile has (NR), and those columns of B, packed
    pack            to copy a panel so that the tile reads it from front to back
    band            tiles below each other that use a packed panel before the next one is packed (MC / MR of them)
    lanes           numbers in a vector register
    window, tap     the pixels that one output sees; one run of numbers among them
    points          what minimal filtering multiplies in the place of pixels
    scratch         memory that a kernel works in and gives back (`tile/workspace.py`)
    twin            the plain NumPy form of a kernel
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from minigen.config import config
from minigen.kernels.serial import SERIAL_ELEMENTS as SERIAL_ELEMENTS

if TYPE_CHECKING:
    from minigen.kernels.compiled import *
else:

    def __getattr__(name: str) -> Any:
        twins = import_module(f"{__name__}.reference")
        if name not in twins.__all__:
            raise AttributeError(f"module {__name__!r} has no kernel {name!r}")
        if config.backend == "numba" and not _numba_works():
            config.backend = "numpy"
        found = import_module(f"{__name__}.compiled") if config.backend == "numba" else twins
        globals()[name] = getattr(found, name)
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module(f"{__name__}.reference").__all__})


def _numba_works() -> bool:
    """Whether kernels can be compiled; says so, once, when they can not."""
    try:
        import_module(f"{__name__}.compiler.choice")
    except Exception as error:  # a broken installation raises anything
        warnings.warn(
            f"minigen: Numba can not be used ({type(error).__name__}: {error}); "
            "using the plain NumPy kernels, which are slower",
            stacklevel=3,
        )
        return False
    return True

"""The register tile under every product: what the literature calls the micro-kernel.

A tile is a small piece of a matrix product, rows x panel numbers of C (`shape.py`), that stays in the vector registers
while a long sum runs: each term costs a few loads and rows * vectors multiply-adds, and C is touched once, at the end.
Numba can not be told to keep an array in registers, so `microkernel_llvm.py` spells the loop out as LLVM
instructions; `microkernel_loops.py` says the same in plain loops, which are slower, for a Numba that does not take
those:

    tile_layer:    C[r, :]  = leaky(base[r, :] + sum over k of A[r * a_row + k * a_term] * B[k, :])
    tile_rows:     C[r, :]  = leaky(bias + sum over t, k of A[starts[r] + taps[t] + k] * B[b_taps[t] + k, :])
    tile_outer:    C[r, :] += sum over k of     A[starts[k] + r]            * B[k, :]      B[k, :] from b_starts[k] on
    tile_lanes:    C[r, :]  = leaky(bias + sum over t of A[starts[r] + taps[t]:] * B[b_taps[t], :])    lane by lane
    tile_taps:     C[c_taps[t], :] += sum over k of A[starts[k] + taps[t]:] * B[k, :]                  lane by lane

The first is the plain product. In the others a row of A is named by where it starts in a flat array. That is what makes
convolution a matrix product without a copy of its windows: an output pixel's window is a few runs of the image, one per
tap, `depth` contiguous numbers each. The last two are its counterparts where each channel has a kernel of its own.

A sum is made of blocks of SUM_TERMS terms, each begun at zero and added to C when it is done: in one long chain every
term would be rounded against the whole sum before it. Only `tile_layer` can be told to go on from base.

All arrays are flat, of one dtype, float32 or float64. A row of B is a panel of contiguous numbers, as many as the
vectors of a tile hold. Columns that do not exist are the caller's business, who pads B or throws those of C away.
Nothing is checked here: every index has to be right, `depth` and the numbers of taps and terms are at least 1.

leaky(v) is v from 0 on, slope * v below: slope 1 changes nothing, 0 is ReLU (of minus infinity too, it gives 0).
"""

from minigen.kernels.compiler.choice import INNER

if INNER:
    from minigen.kernels.tile.microkernel_llvm import (
        copy_row as copy_row,
    )
    from minigen.kernels.tile.microkernel_llvm import (
        tile_lanes as tile_lanes,
    )
    from minigen.kernels.tile.microkernel_llvm import (
        tile_layer as tile_layer,
    )
    from minigen.kernels.tile.microkernel_llvm import (
        tile_outer as tile_outer,
    )
    from minigen.kernels.tile.microkernel_llvm import (
        tile_rows as tile_rows,
    )
    from minigen.kernels.tile.microkernel_llvm import (
        tile_taps as tile_taps,
    )
    from minigen.kernels.tile.microkernel_llvm import (
        transpose_block as transpose_block,
    )
else:
    from minigen.kernels.tile.microkernel_loops import (
        copy_row as copy_row,
    )
    from minigen.kernels.tile.microkernel_loops import (
        tile_lanes as tile_lanes,
    )
    from minigen.kernels.tile.microkernel_loops import (
        tile_layer as tile_layer,
    )
    from minigen.kernels.tile.microkernel_loops import (
        tile_outer as tile_outer,
    )
    from minigen.kernels.tile.microkernel_loops import (
        tile_rows as tile_rows,
    )
    from minigen.kernels.tile.microkernel_loops import (
        tile_taps as tile_taps,
    )
    from minigen.kernels.tile.microkernel_loops import (
        transpose_block as transpose_block,
    )

"""Products of matrices. Begin with `microkernel.py`, the register tile that every product is made of, then `dense.py`.

microkernel.py         the tile; in LLVM's instructions (microkernel_llvm.py, emitter.py), or in plain loops
shape.py               how large a tile is on this processor
dense.py               matmul
workspace.py           memory that kernels work in, lent to one of them at a time
"""

"""How kernels are compiled, kept on disk and started. Begin with `jit.py`: the decorators that all kernels wear.

jit.py           jit, part, inline, tasks, in the form that `choice.py` finds to work with this Numba
numba_inner.py   that form which rests on Numba's inner interfaces, which no other file but the next one knows
chain.py         calls that follow each other, as one function of machine code
numba_plain.py   that form which needs the public ones alone, and is slower
cache.py         the folder of compiled kernels
kept.py          the files in there, read only if they are what was written
process.py       what is set for the whole process: BLAS, OpenMP, malloc
arrays.py        arrays as compiled code takes them
"""

import warnings

# Numba's first import reads its settings, and answers one that it can not read with a page of traceback.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numba as numba

for warning in caught:
    if not issubclass(warning.category, DeprecationWarning):
        warnings.warn(f"minigen: {str(warning.message).strip().splitlines()[0]}", warning.category, stacklevel=2)

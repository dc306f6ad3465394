"""Sample calls of the operations that choose, repeat and move elements; `samples.py` joins them to the others."""

from collections.abc import Iterator

from minigen.autograd.verify.sample import Sample, booleans, distinct, exactly, integers, normal, sample


def choosing() -> Iterator[Sample]:
    """By an index along an axis, by a mask, by order."""
    yield sample("gather", normal(3, 4), exactly([[0, 3, 3], [1, 1, 0]]), axis=1)
    yield sample("gather", normal(3, 4), integers(3, 5, 4), axis=0)
    yield sample("gather", normal(2, 3, 4), integers(3, 2, 1, 2), axis=-2)
    yield sample("take_along_axis", normal(3, 4), exactly([[0, -1, 3], [1, 1, 0], [2, 2, -4]]), axis=1)
    yield sample("take_along_axis", normal(2, 3, 4), integers(3, 1, 2, 1), axis=1)
    for name in ("scatter", "scatter_add"):
        yield sample(name, normal(3, 4), exactly([[0, 3, 2], [1, 3, 0]]), normal(2, 3), axis=1)
        yield sample(name, normal(3, 4), exactly([[2, 0], [0, 1]]), normal(3, 3), axis=0)
        yield sample(name, normal(2, 3, 2), exactly([[[2, 0]], [[1, 1]]]), normal(), axis=-2)
    yield sample("scatter", normal(3, 4), exactly([[1, 1, 1, 0]]), normal(1, 4), axis=1)
    yield sample("scatter_add", normal(3, 4), integers(4, 3, 5), normal(3, 5), axis=1)
    yield sample("index_select", normal(3, 4), exactly([2, 0, 2]), axis=1)
    yield sample("index_select", normal(2, 3, 2), exactly([1]), axis=-2)
    yield sample("index_add", normal(3, 4), exactly([2, 0, 2]), normal(3, 3), axis=1)
    yield sample("index_add", normal(3, 4), exactly([1, 2]), normal(2, 4), axis=0, alpha=-0.5)
    yield sample("bincount", exactly([2, 0, 2, 5]), normal(4))
    yield sample("bincount", exactly([1, 1]), normal(2), minlength=4)
    yield sample("masked_fill", normal(3, 4), booleans(3, 4), value=1.5)
    yield sample("masked_fill", normal(3, 4), booleans(4), normal())
    yield sample("masked_select", normal(3, 4), booleans(3, 4))
    yield sample("masked_select", normal(3, 4), exactly([[True], [False], [True]]))
    yield sample("sort", distinct(3, 4))
    yield sample("sort", distinct(3, 4), axis=0, descending=True)
    yield sample("sort", normal())
    yield sample("topk", distinct(3, 4), k=2)
    yield sample("topk", distinct(2, 4, 2), k=3, axis=1, largest=False)


def arrangement() -> Iterator[Sample]:
    """Elements repeated and moved."""
    yield sample("clone", normal(2, 3))
    yield sample("flatten", normal(2, 3, 2))
    yield sample("flatten", normal(2, 3, 2, 2), start_axis=1, end_axis=-2)
    yield sample("flatten", normal())
    yield sample("moveaxis", normal(2, 3, 4), source=0, destination=-1)
    yield sample("moveaxis", normal(2, 3, 4), source=(0, 2), destination=(1, 0))
    yield sample("tile", normal(2, 3), reps=2)
    yield sample("tile", normal(2, 3), reps=(2, 1, 3))
    yield sample("tile", normal(1, 2, 3), reps=(2, 2))
    yield sample("repeat", normal(2, 3), sizes=(2, 1, 3))
    yield sample("repeat_interleave", normal(2, 3), repeats=2)
    yield sample("repeat_interleave", normal(2, 3), repeats=3, axis=1)
    yield sample("repeat_interleave", normal(3, 2), repeats=(2, 0, 1), axis=0)
    yield sample("roll", normal(2, 3), shifts=2)
    yield sample("roll", normal(3, 4), shifts=(1, -3), axis=(0, 1))
    yield sample("roll", normal(2, 3), shifts=-1, axis=-1)
    yield sample("chunk", normal(5, 2), chunks=3)
    yield sample("chunk", normal(2, 5), chunks=4, axis=1)
    for indexing in ("ij", "xy"):
        yield sample("meshgrid", normal(2), normal(3), indexing=indexing)
        yield sample("meshgrid", normal(2), normal(), normal(3), indexing=indexing)


def matrices() -> Iterator[Sample]:
    """Triangles, diagonals and products."""
    for name in ("tril", "triu"):
        yield sample(name, normal(3, 4))
        yield sample(name, normal(2, 4, 3), diagonal=-1)
        yield sample(name, normal(3, 3), diagonal=1)
    yield sample("diag", normal(3))
    yield sample("diag", normal(2), diagonal=-2)
    yield sample("diag", normal(3, 4))
    yield sample("diag", normal(3, 4), diagonal=2)
    yield sample("diagonal", normal(3, 4), offset=-1)
    yield sample("diagonal", normal(2, 3, 4), axis1=2, axis2=0)
    yield sample("trace", normal(3, 3))
    yield sample("trace", normal(2, 3))
    yield sample("outer", normal(2), normal(3))
    yield sample("dot", normal(3), normal(3))

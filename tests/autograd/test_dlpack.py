"""Memory shared with NumPy, PyTorch and JAX by DLPack, and what is refused."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import advice
from minigen.errors import ArgumentError, DTypeError, GradientError, MinigenError

DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_one_memory_both_ways(library: str, dtype: str) -> None:
    np_or_torch: Any = pytest.importorskip(library)
    x = mg.tensor(np.ones((2, 3)), dtype=dtype)
    there = np_or_torch.from_dlpack(x)
    assert str(there.dtype).endswith(dtype)
    there[0, 1] = 0
    assert x.tolist() == [[1, 0, 1], [1, 1, 1]]
    back = mg.from_dlpack(there)
    assert back.dtype == dtype and not back.requires_grad
    back[1] = 0
    assert x.tolist() == [[1, 0, 1], [0, 0, 0]] and there.tolist() == x.tolist()


@pytest.mark.parametrize("part", [np.s_[::2], np.s_[:, 1:], np.s_[1], np.s_[0, 0, ...], np.s_[:0]])
def test_strides_are_kept(part: Any) -> None:
    torch = pytest.importorskip("torch")
    array = np.arange(24.0).reshape(4, 6)
    x, theirs = mg.from_dlpack(array[part]), torch.from_numpy(array)[part]
    assert x.data.strides == array[part].strides
    for there in (torch.from_dlpack(x), torch.from_dlpack(mg.from_dlpack(theirs))):
        assert torch.equal(there, theirs)
    assert mg.from_dlpack(theirs).numpy().sum() == array[part].sum()


def test_a_shared_array_is_used_in_the_graph() -> None:
    array = np.array([1.0, 2.0])
    x = mg.from_dlpack(array).requires_grad_()
    (x * x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2, 4]
    with pytest.raises(GradientError, match=r"requires a gradient.*x\.detach\(\)"):
        np.from_dlpack(x)
    np.from_dlpack(x.detach())[0] = 7
    assert array[0] == x.data[0] == 7


def test_what_may_not_be_written_into_stays_so() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    x = mg.from_dlpack(array)
    assert (x + 1).tolist() == [2, 2, 2]
    with pytest.raises(MinigenError, match="read-only"):
        x[0] = 1
    assert not np.from_dlpack(x).flags.writeable
    with pytest.raises(ArgumentError, match=r"can not be shared .*x\.clone\(\)"):
        x.__dlpack__()  # without a version, in which nothing can say so
    with pytest.raises(ArgumentError, match=r"\(3,\) runs backwards .* x\.clone\(\)"):
        np.from_dlpack(mg.tensor([1, 2, 3])[::-1])


def test_a_recorded_step_that_shares_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "given", set())

    @mg.record
    def step(x: np.ndarray) -> mg.Tensor:
        return mg.tensor(np.from_dlpack(mg.tensor(x) * 2))

    with pytest.warns(advice.Advice, match="runs as it is"):
        assert [step(np.full(1, n)).item() for n in range(4)] == [0, 2, 4, 6]


class Elsewhere:
    def __dlpack__(self, **_: Any) -> Any:
        raise AssertionError

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


def test_what_can_not_be_shared_is_said() -> None:
    with pytest.raises(ArgumentError, match=r"a list has no __dlpack__; use mg\.tensor"):
        mg.from_dlpack([1.0])
    with pytest.raises(ArgumentError, match=r"lies on a CUDA device; .* x\.cpu\(\)"):
        mg.from_dlpack(Elsewhere())
    with pytest.raises(DTypeError, match="complex128 is not supported"):
        mg.from_dlpack(np.ones(2, complex))
    with pytest.raises(DTypeError, match="float16 is not supported"):
        mg.from_dlpack(np.ones(2, np.float16))
    with pytest.raises(DTypeError, match="would lose its mask"):
        mg.from_dlpack(np.ma.array([1.0, 2.0], mask=[False, True]))
    torch = pytest.importorskip("torch")
    with pytest.raises(DTypeError, match=r"torch\.bfloat16 can not be shared .*use float32"):
        mg.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(GradientError, match=r"pass x\.detach\(\)"):
        mg.from_dlpack(torch.ones(2, requires_grad=True))


def test_arrays_of_jax() -> None:
    numpy = pytest.importorskip("jax.numpy")
    theirs = numpy.arange(6.0).reshape(2, 3)
    x = mg.from_dlpack(theirs)
    assert x.shape == (2, 3) and x.data.__array_interface__["data"][0] == theirs.unsafe_buffer_pointer()
    with pytest.raises(MinigenError, match="read-only"):
        x[0] = 1
    assert numpy.from_dlpack(mg.tensor([1.0, 2.0])).tolist() == [1, 2]

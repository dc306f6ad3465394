"""The atlas of shapes: what is drawn, and that both sides do the same work."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from minigen.benchmarks import atlas, atlas_minigen
from minigen.benchmarks.atlas_cases import DRAWS, GFLOP, MEGABYTES, Case, draw_cases

SMALL = {"batch": 3, "rows": 5, "table": 30, "count": 2, "length": 20}


def one_of_each() -> list[Case]:
    """A small case of every function that builds one."""
    cases = {
        (case.build, case.sizes.get("chain")): case for case in draw_cases(600, 3) if case.sizes.get("height", 1) <= 16
    }
    return [
        replace(case, sizes=case.sizes | {k: v for k, v in SMALL.items() if k in case.sizes}) for case in cases.values()
    ]


CASES = one_of_each()


def channels_last(shape: tuple[int, ...], case: Case) -> tuple[int, ...]:
    """The shape of PyTorch's result as minigen has it."""
    if case.build == "attention":
        n, heads, length, width = shape
        return n, length, heads * width
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


def test_a_seed_draws_the_same_cases_each_time():
    cases = draw_cases(150, 0)
    assert cases == draw_cases(150, 0) != draw_cases(150, 1)
    assert len(cases) == 150 and len({case.kind for case in cases}) == len(DRAWS)
    assert all(GFLOP[0] <= case.gflop <= GFLOP[1] if case.gflop else case.bytes >= 1e6 * MEGABYTES[0] for case in cases)


def test_odd_sizes_and_usual_ones_are_drawn():
    channels = [case.sizes["inputs"] for case in draw_cases(600, 0) if case.kind == "convolution"]
    assert {3, 64, 128} < set(channels) and sum(n % 2 for n in channels) > 20


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sizes.get("chain", case.build))
def test_minigen_and_torch_give_results_of_the_same_shape(case: Case):
    torch = pytest.importorskip("torch")
    from minigen.benchmarks import atlas_torch

    for backward in (False, True):
        ours = getattr(atlas_minigen, case.build)(case.sizes, backward)()
        theirs: Any = getattr(atlas_torch, case.build)(case.sizes, backward)()
        if case.build == "optimizer":
            continue
        assert isinstance(theirs, torch.Tensor) and theirs.requires_grad == ours.requires_grad == backward
        assert ours.shape == channels_last(tuple(theirs.shape), case), case.name


def test_the_work_of_a_convolution_is_counted_by_its_outputs():
    sizes = {"batch": 2, "height": 8, "width": 6, "inputs": 3, "outputs": 5, "kernel": 3, "stride": 2, "padding": 1}
    case = Case("", "conv2d", sizes | {"dilation": 1, "groups": 1}, 0, 0)
    y = atlas_minigen.conv2d(case.sizes, False)()
    counted = next(c for c in draw_cases(600, 0) if c.build == "conv2d" and c.sizes["groups"] == 1)
    shape = getattr(atlas_minigen.conv2d(counted.sizes | {"batch": 1}, False)(), "shape", ())
    s = counted.sizes
    assert np.isclose(counted.gflop, 2e-9 * s["batch"] * np.prod(shape) * s["kernel"] ** 2 * s["inputs"])
    assert getattr(y, "shape", ()) == (2, 4, 3, 5)


def test_the_summary_names_kinds_and_the_slowest():
    def entry(name: str, kind: str, ours: float, theirs: float | None) -> Mapping[str, Any]:
        seconds = {"minigen": ours} if theirs is None else {"minigen": ours, "torch": theirs}
        return {"name": name, "kind": kind, "seconds": dict.fromkeys(atlas.PASSES, seconds)}

    lines = atlas.summary(
        [entry("a", "x", 1, 2), entry("b", "x", 2, 1), entry("c", "y", 1, 4), entry("d", "y", 1, None)]
    )
    text = "\n".join(lines)
    assert "forward: geometric mean 1.59× torch, 1 of 3 slower" in text
    assert "x                          1.00×, worst 0.50×, of 2" in text
    assert lines.index("    0.50× b") < lines.index("    2.00× a") < lines.index("    4.00× c")

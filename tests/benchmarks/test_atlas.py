"""The atlas of shapes: what is drawn, and that both sides do the same work."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigen.benchmarks import atlas_minigen, atlas_tables, command, publish
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
        ours: Any = atlas_minigen.case(case.build, case.sizes, backward)()
        theirs: Any = atlas_torch.case(case.build, case.sizes, backward, False)()
        if case.build == "optimizer":
            continue
        assert isinstance(theirs, torch.Tensor) and theirs.requires_grad == ours.requires_grad == backward
        assert ours.shape == channels_last(tuple(theirs.shape), case), case.name


def test_the_work_of_a_convolution_is_counted_by_its_outputs():
    counted = next(c for c in draw_cases(600, 0) if c.build == "conv2d" and c.sizes["groups"] == 1)
    y: Any = atlas_minigen.case("conv2d", counted.sizes | {"batch": 1}, False)()
    s = counted.sizes
    assert np.isclose(counted.gflop, 2e-9 * s["batch"] * np.prod(y.shape) * s["kernel"] ** 2 * s["inputs"])


def entry(name: str, kind: str, ours: float, theirs: float | None) -> Mapping[str, Any]:
    """A case as it is measured, three rounds alike; its limit is a second."""
    seconds = {"minigen": ours} if theirs is None else {"minigen": ours, "torch": theirs}
    passes = ("forward", "backward")
    return {
        "name": name, "kind": kind, "seconds": dict.fromkeys(passes, seconds), "limit": dict.fromkeys(passes, 1.0),
        "round_seconds": {key: {side: [value] * 3 for side, value in seconds.items()} for key in passes},
    }  # fmt: skip


ENTRIES = [entry("a", "x", 1, 2), entry("b", "x", 2, 1), entry("c", "y", 1, 4), entry("d", "y", 1, None)]


def test_the_summary_names_kinds_and_the_slowest():
    lines = atlas_tables.summary(ENTRIES, ["torch", "jax"])
    text = "\n".join(lines)
    assert "forward, torch: geometric mean 1.59× over 3 cases, 1 below 1, 1 of them in every round" in text
    assert "forward: 75 % of the cases at 60 % or more of their limit, half of them at 100 %" in text
    assert "jax" not in text and "x                             2    1.00×    0.50×" in text
    slowest = [line.split() for line in lines[-6:]]
    assert slowest[0] == ["0.50×", "forward", "b"] and slowest[-1] == ["4.00×", "with", "backward", "c"]
    assert atlas_tables.row(ENTRIES[3], ["torch"])[:4] == ["d", "1000", "–", "100 %"]


def test_the_atlas_is_drawn_and_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    environment = {"cpu": "a chip", "system": "Linux", "python": "3.11"}
    measured = {"seed": 3, "product_gflops": 100.0, "memory_rate": 2e10, "cases": ENTRIES}
    document = {"environment": environment, "threads": 2, "date": "today", "peers": ["torch"], "quick": False}
    document |= {"atlas": measured}
    (tmp_path / "bench.json").write_text(json.dumps(document))
    assert command.draw(document, tmp_path) == [tmp_path / "atlas.png"]
    monkeypatch.setattr(publish, "KEPT", tmp_path / "kept")
    assert publish.keep(tmp_path) == document and publish.tables(document) == {}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"atlas.json", "atlas.png"}
    table = publish.atlas_table(document)["bench-atlas"]
    assert "- 4 cases, seed 3; NumPy's product: 100 GFLOP/s, a copy: 20.0 GB/s." in table
    assert "| with backward | 0.50× |" in table and "| 0.50× | forward | b |" in table and "a chip, 2 threads" in table
    alone = document | {"atlas": measured | {"cases": ENTRIES[3:]}}
    assert command.draw(alone, tmp_path) == []

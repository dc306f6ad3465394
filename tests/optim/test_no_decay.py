"""AdamW that leaves some parameters undecayed, beside PyTorch's with two groups of parameters."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError

SHAPES = [(3, 4), (4,), (2, 2), (2,), (5,)]
EXEMPT = [[], [1, 3, 4], [0], [0, 2, 4], [0, 1, 2, 3, 4]]
OPTIONS = {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.3}


@pytest.mark.parametrize("exempt", EXEMPT, ids=str)
@pytest.mark.parametrize("frozen", [None, 0, 3])
def test_equals_torchs_groups(exempt: list[int], frozen: int | None):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in SHAPES]
    ours = [mg.tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    optimizer = optim.AdamW(ours, **OPTIONS, no_decay=[ours[i] for i in exempt])
    groups = [
        {"params": [p for i, p in enumerate(theirs) if (i in exempt) == bare], "weight_decay": 0.0 if bare else 0.3}
        for bare in (False, True)
    ]
    reference = torch.optim.AdamW([group for group in groups if group["params"]], lr=0.05, betas=(0.8, 0.9))
    for _ in range(5):
        optimizer.zero_grad()
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = rng.normal(size=p.shape)
            if i != frozen:
                (p * g).sum().backward()
                q.grad = torch.tensor(g)
        optimizer.step()
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12)


def test_a_large_model_is_updated_in_two_passes(monkeypatch: pytest.MonkeyPatch):
    parameters = [mg.tensor(np.ones(shape), requires_grad=True) for shape in SHAPES * 10]
    optimizer = optim.AdamW(parameters, no_decay=[p for p in parameters if p.ndim == 1])
    passes = []
    monkeypatch.setattr(
        optimizer, "update", lambda span, count, options: passes.append((span, options["weight_decay"]))
    )
    for p in parameters:
        (p * 2.0).sum().backward()
    optimizer.step()
    assert passes == [(slice(0, 160), 0.01), (slice(160, 270), 0.0)]


def test_a_stranger_in_no_decay_is_refused():
    p, q = (mg.tensor(np.ones(3), requires_grad=True) for _ in range(2))
    with pytest.raises(ArgumentError, match="no_decay holds a tensor that is not a parameter"):
        optim.AdamW([p], no_decay=[q])
    names: Any = ["bias"]
    with pytest.raises(ArgumentError, match="AdamW: item 0 of no_decay is str; pass a list of tensors"):
        optim.AdamW([p], no_decay=names)

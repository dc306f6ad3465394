"""The list of a recorded step before it is trusted: its proof, and where its results lie."""

import warnings
from typing import Any

import numpy as np
import pytest
from recorded_world import side_by_side, training

import minigen as mg
from minigen import layers
from minigen.random import generator


def test_the_list_that_fails_its_proof_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from minigen.recording import tape

    def wrong(self: Any) -> Any:
        raise ValueError("planted")

    monkeypatch.setattr(tape.Tape, "go_on", wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = side_by_side(training).step
    assert step.problem == "what is noted can not be repeated: ValueError: planted"


def test_a_planted_fault_in_a_list_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from minigen.recording import items

    real = items.Call.bound

    def wrong(self: items.Call, resolve: Any) -> Any:
        return (lambda: None) if np.tanh in self.arguments else real(self, resolve)

    monkeypatch.setattr(items.Call, "bound", wrong)
    w = mg.tensor(np.ones(3, np.float32), requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = mg.record(lambda x: mg.tanh(w * mg.tensor(x)).sum().detach())
        for i in range(4):
            step(np.full(3, i, np.float32))
    assert step.problem is not None and "is not the same when the list is repeated" in step.problem


def test_the_arena_is_smaller_than_all_that_is_made() -> None:
    model = layers.Sequential(*[layers.Linear(64, 64, rng=generator(0)) for _ in range(12)])
    step = mg.record(lambda x: model(mg.tensor(x)).detach())
    with mg.no_grad():
        for _ in range(4):
            step(np.ones((32, 64), np.float32))
    assert step.repeated == 2
    tape = next(iter(step.forms.values()))[0].tape
    assert tape is not None and tape.size < 5 * 32 * 64 * 4  # of twelve results two are needed at once

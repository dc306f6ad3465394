"""The protocol of a loop: when what is due, what is saved, Ctrl-C, and what follows the training by itself."""

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers, optim
from minigen.autograd.modes import modes
from minigen.config import config
from minigen.data import ArrayDataset, DataLoader
from minigen.errors import ArgumentError, GradientError
from minigen.random import generator
from minigen.training import EarlyStopping, Run, Steps, checkpoint


@dataclasses.dataclass(frozen=True)
class Recipe:
    patience: int | None = None


class Training:
    """A model of one weight that goes up by the learning rate each step, and whatever may follow it."""

    def __init__(self, **limits: Any) -> None:
        self.model = layers.Linear(1, 1, bias=False, rng=generator(0))
        self.model.weight.data[:] = 0
        self.optimizer = optim.SGD(self.model.parameters(), lr=1.0)
        self.loader = DataLoader(ArrayDataset(np.arange(4)), 1, shuffle=True, rng=generator(1))
        self.state: dict[str, Any] = {"model": self.model, "optimizer": self.optimizer, "loader": self.loader}
        self.limits = limits or {"epochs": 3}

    def steps(self, run: Run) -> Iterator[Steps]:
        """The steps, after the weight was changed and before anything is logged."""
        with Steps(run, self.loader, self.state, **self.limits) as steps:
            for _ in steps:
                self.model.weight.data += self.optimizer.lr
                self.model.weight.bump_version()
                yield steps

    def weight(self) -> float:
        return self.model.weight.data.item()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", "walk", Recipe())


def saved(run: Run) -> tuple[int, dict[str, Any]]:
    return checkpoint.read(run.checkpoint_path)


@pytest.mark.parametrize(
    ("limits", "checks", "samples"),
    [
        ({"epochs": 3}, [4, 8, 12], [4, 8, 12]),
        ({"epochs": 3, "max_steps": 6}, [4], [4, 6]),
        ({"epochs": 1, "max_steps": 60}, [4], [4]),
        ({"steps": 7, "round_length": 3}, [3, 6], [3, 6, 7]),
        ({"steps": 7, "round_length": 3, "max_steps": 3}, [3], [3]),
    ],
)
def test_what_is_due_when(run: Run, limits: dict[str, Any], checks: list[int], samples: list[int]):
    seen: dict[str, list[int]] = {"checks": [], "samples": [], "saved": []}
    training, last = Training(**limits), 0
    for steps in training.steps(run):
        assert steps.step == last + 1
        last = steps.step
        seen["saved"] += [run.step] if run.step != (seen["saved"] or [0])[-1] else []
        steps.log(every=1, weight=training.weight())
        seen["checks"] += [last] if steps.check_due else []
        seen["samples"] += [last] if steps.sample_due else []
    assert (seen["checks"], seen["samples"]) == (checks, samples)
    assert [*seen["saved"], run.step] == samples  # that is where the checkpoints were written
    assert run.history() == {"step": list(range(1, last + 1)), "weight": list(range(1, last + 1))}


@pytest.mark.parametrize(("length", "every", "between"), [(4, 2, 1), (99, 7, 1), (100, 7, 2), (400, 7, 7)])
def test_rows_of_some_steps_but_of_fifty_at_least_and_of_what_is_recorded(
    run: Run, length: int, every: int, between: int
):
    for steps in Training(steps=length).steps(run):
        steps.log(every=every, count=steps.step)
        if steps.step == length:
            steps.record(test_loss=9)
    logged = list(range(between, length + 1, between))
    assert run.history()["step"] == [*logged, length]
    assert run.history()["count"] == [*logged, None] and run.history()["test_loss"][-1] == 9


def test_a_step_is_saved_after_its_body_and_only_if_that_did_not_fail(run: Run):
    with pytest.raises(MemoryError):
        for steps in Training(epochs=2).steps(run):
            steps.log(every=1, loss=0)
            if steps.check_due:
                assert run.checkpoint_path.exists() == (steps.step == 8)
                steps.picture_path().write_bytes(b"")
            if steps.step == 8:
                raise MemoryError
    assert saved(run)[0] == 4 and [path.name for path in run.samples()] == ["step-000004.png", "step-000008.png"]


def test_a_step_that_is_not_logged_is_told(run: Run):
    with pytest.raises(ArgumentError, match=r"step 2 ended without steps.log"):
        for steps in Training().steps(run):
            if steps.step == 1:
                steps.log(every=1, loss=0)
    assert not run.checkpoint_path.exists()


def test_with_debug_the_first_step_and_the_operation_of_a_nan_are_named(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "debug", True)
    training, words = Training(), r"^step 3: Sqrt, forward: NaN .* made of \(1, 1\) from -1 to -1; called at"
    with (
        pytest.raises(GradientError, match=words),
        Steps(run, training.loader, training.state, steps=9, round_length=3) as steps,
    ):
        for _ in steps:
            training.model.weight.data += 1.0
            mg.sqrt(2.0 - training.model.weight)
            steps.log(every=1)
    assert not modes.observers


def test_divergence_is_told_before_anything_is_measured_or_drawn(run: Run):
    training = Training(epochs=2)
    with pytest.raises(GradientError, match=r"step 8: NaN in model.weight \(learning rate 1\); .* step 4 is intact"):
        for steps in training.steps(run):
            if steps.step == 6:
                training.model.weight.data[:] = np.nan
            steps.log(every=1, loss=0)
            assert steps.step < 8
    assert saved(run)[0] == 4


@pytest.mark.parametrize("limits", [{"max_steps": 3}, {"epochs": 3, "steps": 3}])
def test_it_must_be_said_how_long(run: Run, limits: dict[str, Any]):
    training = Training()
    with pytest.raises(ArgumentError, match="either epochs or steps"):
        Steps(run, training.loader, training.state, **limits)


def test_what_is_none_is_not_saved(run: Run):
    training = Training(epochs=1)
    training.state |= {"ema": None, "stopping": None}
    for steps in training.steps(run):
        steps.log(every=1, loss=0)
    assert list(saved(run)[1]) == ["model", "optimizer", "loader"]


# ---------------------------------------------------------------- Ctrl-C


def test_ctrl_c_saves_the_step_and_stops(run: Run, capfd: pytest.CaptureFixture[str]):
    for steps in Training().steps(run):
        if steps.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        steps.log(every=1, loss=0)
    assert run.interrupted and run.step == saved(run)[0] == 2
    assert "Stopping after this step" in capfd.readouterr().err
    run.finish()
    assert "interrupted; go on with" in capfd.readouterr().out


def test_a_second_ctrl_c_ends_at_once(run: Run):
    with pytest.raises(KeyboardInterrupt):
        for steps in Training().steps(run):
            steps.log(every=1, loss=0)
            if steps.step == 6:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
    assert saved(run)[0] == 4 and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_last_step_is_no_interruption(run: Run):
    for steps in Training(epochs=1).steps(run):
        steps.log(every=1, loss=0)
        steps.progress.interrupted = steps.step == 4
    assert not run.interrupted and saved(run)[0] == 4


# ---------------------------------------------------------------- what follows the training


def follow(training: Training, run: Run, figures: dict[int, float], stop: int | None = None) -> None:
    """Train, recording the figure of each check; stop as if Ctrl-C had been pressed in step `stop`."""
    for steps in training.steps(run):
        steps.log(every=1, weight=training.weight())
        if steps.check_due:
            steps.record(validation_loss=figures.get(steps.step, 0.0))
        steps.progress.interrupted = steps.step == stop


def all_followers(**limits: Any) -> Training:
    training = Training(**limits)
    training.state |= {
        "schedule": optim.CosineLR(training.optimizer, 40),
        "ema": optim.EMA(training.model, 0.9),
        "stopping": EarlyStopping(2),
    }
    return training


FALLS_THEN_RISES = {4: 3.0, 8: 2.0, 12: 2.5, 16: 2.1}


@pytest.mark.parametrize("stop", [1, 5, 8, 12])
def test_all_of_it_resumes_to_the_bit(run: Run, tmp_path: Path, stop: int):
    follow(all_followers(epochs=9), run, FALLS_THEN_RISES)
    halves = Run.create(tmp_path / "halves", "walk", Recipe())
    follow(all_followers(epochs=9), halves, FALLS_THEN_RISES, stop)
    assert halves.step == stop and not halves.stopped_early
    follow(all_followers(epochs=9), halves, FALLS_THEN_RISES)
    for name in ("checkpoint.safetensors", "metrics.csv"):
        assert (halves.path / name).read_bytes() == (run.path / name).read_bytes()


def test_early_stopping_stops_says_so_and_stays_stopped(run: Run, capsys: pytest.CaptureFixture[str]):
    follow(all_followers(epochs=9), run, FALLS_THEN_RISES)
    assert run.stopped_early and not run.interrupted and run.step == saved(run)[0] == 16
    run.finish()
    assert "stopped early" in capsys.readouterr().out
    before = run.checkpoint_path.read_bytes()
    again = Run.open(run.path)
    follow(all_followers(epochs=20), again, {})
    assert again.stopped_early and again.step == 16 and run.checkpoint_path.read_bytes() == before
    assert run.history()["step"][-1] == 16


def test_a_round_without_the_figure_that_decides_is_an_error(run: Run):
    training = all_followers(epochs=5, watch="validation_accuracy")
    with pytest.raises(ArgumentError, match=r"waits for validation_accuracy, but step 4 ended .* another figure"):
        follow(training, run, FALLS_THEN_RISES)


def test_iterating_without_entering_is_an_error(run: Run):
    training = Training(epochs=1)
    with pytest.raises(ArgumentError, match=r"inside `with Steps"):
        next(iter(Steps(run, training.loader, training.state, epochs=1)))


def test_a_schedule_is_moved_on_once_a_step(run: Run):
    training = Training(epochs=2)
    training.state["schedule"] = optim.StepLR(training.optimizer, 3, gamma=0.5)
    follow(training, run, {})
    weights = [value for value in run.history()["weight"] if value is not None]
    np.testing.assert_allclose(np.diff([0, *weights]), [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25])


def test_a_plateau_is_told_the_watched_figure(run: Run):
    training = Training(epochs=4)
    training.state["schedule"] = optim.ReduceLROnPlateau(training.optimizer, factor=0.5, patience=1)
    follow(training, run, {4: 1.0, 8: 2.0, 12: 3.0, 16: 0.5})
    weights = [value for value in run.history()["weight"] if value is not None]
    np.testing.assert_allclose(np.diff([0, *weights]), [1] * 12 + [0.5] * 4)


def test_the_average_is_there_for_a_while_and_the_weights_come_back(run: Run):
    training = Training(epochs=1)
    training.state["ema"] = optim.EMA(training.model, 0.5)
    inside = []
    for steps in training.steps(run):
        steps.log(every=1, loss=0)
        with steps.averaged():
            inside.append(training.weight())
        assert training.weight() == steps.step
    np.testing.assert_allclose(inside, [0.5, 1.25, 2.125, 3.0625])


def test_without_an_average_the_weights_are_the_weights(run: Run):
    training = Training(epochs=1)
    for steps in training.steps(run):
        steps.log(every=1, loss=0)
        with steps.averaged():
            assert training.weight() == steps.step


def test_the_start_says_what_is_trained_on_what(run: Run, capsys: pytest.CaptureFixture[str]):
    training = Training(epochs=3)
    training.loader.dataset.classes = ("a", "b")  # pyright: ignore[reportAttributeAccessIssue]
    with Steps(run, training.loader, training.state, epochs=3, held_out=np.arange(2000)) as steps:
        first = capsys.readouterr().out.split("\n")[0]
        assert first == (
            "walk: 1 parameters · ArrayDataset: 4 to train on, 2,000 to measure on; 2 classes: a, b · 12 steps of 1"
        )
        for _ in steps:
            steps.log(every=1, loss=0)
            steps.progress.interrupted = steps.step == 4
    with Steps(run, training.loader, training.state, epochs=3):
        assert capsys.readouterr().out.split("\n")[1].endswith("12 steps of 1, 4 done")


def test_the_curves_are_drawn_on_the_way(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run._curves, "_due", 0.0)
    for steps in Training(epochs=2).steps(run):
        steps.log(every=1, loss=1 / steps.step)
        assert (run.path / "curves.png").exists() == (steps.step > 4)


def test_a_second_ctrl_c_says_what_is_saved(run: Run, capfd: pytest.CaptureFixture[str]):
    training = Training()
    with pytest.raises(KeyboardInterrupt), Steps(run, training.loader, training.state, epochs=3) as steps:
        for _ in steps:
            steps.log(every=1, loss=0)
            if steps.step == 6:
                raise KeyboardInterrupt
    assert f"step 4 is saved; go on with: minigen train walk --resume {run.path}" in capfd.readouterr().err

"""Progress: what it prints, and how it takes Ctrl-C."""

import io
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigen.errors import ArgumentError
from minigen.training import Progress
from minigen.training.progress import duration


class Clock:
    """A clock that goes on when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO, start: int = 0, total: int = 100) -> list[str]:
    clock = Clock()
    with Progress(total, start, "vae", stream, clock) as progress:
        for step in range(start + 1, total + 1):
            clock.now += 50 if step == start + 1 else 0.5  # the first step compiles
            progress.update(step, loss=np.float32(100 / step), kl=step)
    return stream.getvalue().splitlines()


def test_plain_lines_when_not_on_a_terminal() -> None:
    lines = run(io.StringIO())
    assert lines[0] == "vae: 1/100 · loss 100 · kl 1"
    assert lines[1] == "vae: 21/100 · 2 steps/s · 39.5 s left · loss 4.762 · kl 21"
    assert lines[-1] == "vae: step 100 of 100 in 1 min 40 s · 1.01 steps/s · loss 1 · kl 100"
    assert len(lines) == 6  # one in ten seconds, and the last


def test_a_resumed_loop_counts_its_own_steps() -> None:
    assert run(io.StringIO(), start=98)[-1].startswith("vae: step 100 of 100 in 50.5 s · 0.0396 steps/s")
    assert run(io.StringIO(), start=100) == ["vae: no step taken; 100 of 100 are done"]


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = "\n".join(run(Terminal()))
    assert "━" in text and "50/100 · 2 steps/s · 25.0 s left · loss 2 · kl 50" in text
    assert text.endswith("vae: step 100 of 100 in 1 min 40 s · 1.01 steps/s · loss 1 · kl 100")
    monkeypatch.setenv("TERM", "dumb")
    assert len(run(Terminal())) == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_noted_and_a_second_ctrl_c_raises(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stream = io.StringIO()
    with Progress(10, stream=stream) as progress:
        assert not progress.interrupted
        signal.raise_signal(number)
        assert progress.interrupted
        assert "Stopping after this step" in capfd.readouterr().err
        progress.update(4)
    assert "interrupted at step 4 of 10" in stream.getvalue()
    with pytest.raises(KeyboardInterrupt), Progress(10, stream=stream):
        signal.raise_signal(number)
        if number != signal.SIGINT:
            signal.raise_signal(number)  # a shell passes on what its terminal has sent already
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_handlers_are_restored_and_nothing_is_claimed_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError), Progress(10, stream=stream):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before and stream.getvalue() == ""


def test_it_works_outside_the_main_thread() -> None:
    stream = io.StringIO()
    thread = threading.Thread(target=run, args=(stream,))
    thread.start()
    thread.join()
    assert stream.getvalue().endswith("kl 100\n")


@pytest.mark.parametrize(("start", "total"), [(-1, 5), (6, 5), (0, -1)])
def test_steps_out_of_order(start: int, total: int) -> None:
    with pytest.raises(ArgumentError, match="start"):
        Progress(total, start)


def test_values_must_be_numbers() -> None:
    with Progress(5, stream=io.StringIO()) as progress, pytest.raises(ArgumentError, match="loss is str"):
        progress.update(1, loss="low")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.96, "1 min 00 s"), (185.2, "3 min 05 s"), (7_800, "2 h 10 min"), (3_599.6, "1 h 00 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_rich_is_not_imported_without_a_terminal() -> None:
    code = (
        "import sys; from minigen.training import Progress\n"
        "with Progress(1) as p: p.update(1)\n"
        "assert not {'rich', 'matplotlib', 'safetensors', 'numba'} & set(sys.modules), 'imported too early'"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ), timeout=60
    )

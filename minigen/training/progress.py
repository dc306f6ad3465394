"""How far a loop has come, how fast it goes and what it last measured; and a Ctrl-C that ends it cleanly.

On a terminal and in a notebook it is a bar; elsewhere a plain line every ten seconds. The first Ctrl-C, a SIGTERM, a
terminal that hangs up (SIGHUP), and output that nobody reads any more (`| head`) only set `interrupted`, so that the
loop can finish its step and save; a second Ctrl-C raises KeyboardInterrupt.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TextIO

from minigen.errors import ArgumentError
from minigen.training.bars import Bar, bar_for
from minigen.training.log import scalar

WINDOW = 30.0  # the rate is that of the last so many seconds
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
LOST = b"\nThe output can not be written any more. Stopping after this step, then saving.\n"
NOTICE = b"\nStopping after this step, then saving. Press Ctrl-C again to stop at once, without saving.\n"


class Progress:
    """A context manager around a loop over the steps start+1 … total.

    stream: where to write, standard output unless given. clock: seconds, for tests. saving: whether the loop saves when
    it is interrupted; otherwise signals are left alone.
    Raises ArgumentError when start and total are out of order.
    """

    def __init__(
        self,
        total: int,
        start: int = 0,
        description: str = "training",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        saving: bool = True,
    ) -> None:
        if not 0 <= start <= total:
            raise ArgumentError(f"progress: start is {start} and total {total}; use 0 ≤ start ≤ total")
        self.total, self.start, self.step = total, start, start
        self.description = description
        self.interrupted = False
        self.lost = False  # whether the output could not be written any more
        self.saving = saving
        self.values: dict[str, float] = {}
        self._stream = stream or sys.stdout  # None where the process has none
        self._at_once = False
        self._clock = clock
        self._began = self._shown = clock()
        self._points: deque[tuple[float, int]] = deque()
        self._handlers: dict[signal.Signals, Any] = {}
        self._bar: Bar | None = None
        self._interval = 10.0

    def __enter__(self) -> "Progress":
        self._began = self._shown = self._clock()
        self._install_handlers()
        self._write(self._open_bar)
        return self

    def update(self, step: int, **values: Any) -> None:
        """Step number `step` is done; `values` (numbers, or tensors of one element) are what it measured."""
        if self._at_once:  # the interruption was swallowed, as it is inside a callback of the compiler
            raise KeyboardInterrupt
        self.step = step
        for name, value in values.items():
            self.values[name] = scalar(value, name)
        now = self._clock()
        if not self._points:  # the rate counts from the end of the first step, which may have compiled kernels
            self._points.append((now, step))
        if now - self._shown >= self._interval:
            self._shown = now
            self._points.append((now, step))
            while len(self._points) > 2 and now - self._points[0][0] > WINDOW:
                self._points.popleft()
            self._write(self._show)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._write(self._bar.stop)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if kind is None:
            self._write(lambda: say(self.summary(), self._stream))

    @property
    def rate(self) -> float | None:
        """Steps per second lately, None before there is anything to measure."""
        if not self._points:
            return None
        began, first = self._points[0]
        seconds = self._clock() - began
        return (self.step - first) / seconds if seconds > 0 and self.step > first else None

    def status(self) -> str:
        """Step, rate, time left and latest values, on one line."""
        parts = [f"{self.step:,}/{self.total:,}"]
        rate = self.rate
        if rate:
            parts += [f"{rate:.3g} steps/s", f"{duration((self.total - self.step) / rate)} left"]
        return " · ".join(parts + [f"{name} {value:.4g}" for name, value in self.values.items()])

    def summary(self) -> str:
        """The line at the end: steps, time taken, latest values."""
        if self.step == self.start:
            return f"{self.description}: no step taken; {self.step:,} of {self.total:,} are done"
        seconds = self._clock() - self._began
        outcome = "interrupted at step" if self.interrupted and self.step < self.total else "step"
        parts = [f"{outcome} {self.step:,} of {self.total:,} in {duration(seconds)}"]
        if seconds > 0:
            parts.append(f"{(self.step - self.start) / seconds:.3g} steps/s")
        return f"{self.description}: " + " · ".join(
            parts + [f"{name} {value:.4g}" for name, value in self.values.items()]
        )

    def _write(self, show: Callable[[], None]) -> None:
        """Call `show`. When nobody reads the output any more, the loop is to save and end, as after Ctrl-C."""
        if self._stream is None:
            return
        try:
            show()
        except OSError:  # a pipe closed, a terminal hung up, a full disk under a file
            self._bar = self._stream = None
            self.lost = True
            if not self.interrupted and self.saving:
                self.interrupted = True
                tell(LOST)

    def _show(self) -> None:
        if self._bar is None:
            say(f"{self.description}: {self.status()}", self._stream)
        else:
            self._bar.show(self.step, self.status())

    def _open_bar(self) -> None:
        assert self._stream is not None
        if os.environ.get("TERM") != "dumb" or not self._stream.isatty():
            self._bar = bar_for(self._stream, self.description, self.total, self.start, self.status())
        if self._bar is not None:
            self._interval = 0.2

    def _install_handlers(self) -> None:
        if not self.saving or threading.current_thread() is not threading.main_thread():
            return  # only the main thread may handle signals
        for number in SIGNALS:
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
                previous = signal.signal(number, self._on_signal)
                self._handlers[number] = signal.SIG_DFL if previous is None else previous

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.interrupted:
            self.interrupted = True
            tell(NOTICE)
        elif number == signal.SIGINT:  # the others come in twos: a shell passes on what its terminal has sent already
            self._at_once = True
            raise KeyboardInterrupt


def tell(message: bytes) -> None:
    """To standard error, by a plain write: a signal may have come in the middle of a print. It may be closed, too."""
    if sys.stderr is not None:  # or else 2 may be the number of any file
        with contextlib.suppress(OSError):
            os.write(2, message)


def say(line: str, stream: TextIO | None) -> None:
    """Print a line; characters that the stream's encoding lacks are replaced."""
    try:
        print(line, file=stream, flush=True)
    except UnicodeEncodeError as error:
        print(line.encode(error.encoding, "replace").decode(error.encoding), file=stream, flush=True)


def duration(seconds: float) -> str:
    """Seconds as a person would say them: "8.2 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

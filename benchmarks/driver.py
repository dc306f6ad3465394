"""Worker processes, and the turns they take.

Absolute times on a shared machine mean little, so all sides are measured in one run, a short turn each, A B C A B C …,
and so is what the machine gives at that moment. Each side has a process of its own: two libraries in one process would
share environment and cores, and the threads of one go on spinning while the other runs. Between its turns a worker
sleeps at a pipe; a rest before each turn lets the threads of the last one fall asleep (OpenBLAS's spin for 0.1 s, and
would more than double the times of whoever comes next).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import minigen
from minigen.errors import MinigenError

HERE = Path(__file__).resolve().parent
SOURCE = Path(minigen.__file__).resolve().parent.parent  # workers measure the minigen that is imported here

# The caller's settings of threads and dtype, which would favour one side or another, do not reach the workers.
UNWANTED = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NUMBA_NUM_", "NUMBA_THREADING_")
UNWANTED_NAMES = ("MINIGEN_THREADS", "MINIGEN_DTYPE", "MINIGEN_DEBUG", "PYTHONSAFEPATH")
REST = 0.15  # seconds
PRODUCT = 2048  # n of the n×n matrix product that tells the machine's rate
COPIED = 1 << 26  # float32 numbers of the copy that tells the memory's


class WorkerError(MinigenError):
    """A worker that reported an error, or died."""


class Worker:
    """A process for one side, on so many cores, and the pipe to it. Closing it ends the process.

    environment: variables in addition to, or instead of, the caller's.
    """

    def __init__(self, side: str, threads: int, environment: Mapping[str, str] | None = None) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(UNWANTED)}
        for name in UNWANTED_NAMES:
            kept.pop(name, None)
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SOURCE), kept.get("PYTHONPATH")]))
        if not hasattr(os, "sched_setaffinity"):  # the worker can not choose its cores; most libraries read these
            kept |= dict.fromkeys(("MINIGEN_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        self.side = side
        self._folder = tempfile.TemporaryDirectory()
        self._said = Path(self._folder.name, "stderr")
        with open(self._said, "w") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "worker.py"), str(threads)],
                env=kept | dict(environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def call(self, method: str, *arguments: Any) -> Any:
        """The value of a method of worker.Session. Raises WorkerError, one line, if it fails or the process dies."""
        self.send(method, *arguments)
        return self.receive()

    def send(self, method: str, *arguments: Any) -> None:
        """Ask for a value and do not wait; `receive` has it later."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None

    def receive(self) -> Any:
        """The value asked for by the last `send`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._death()
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.side}: {answer['error']}")
        return answer["value"]

    def _death(self) -> WorkerError:
        code = self._process.wait()
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        cause += ", perhaps for want of memory" if code == -signal.SIGKILL else ""
        lines = self._said.read_text(errors="replace").strip().splitlines()
        return WorkerError(f"{self.side}: its process died ({cause}){': ' + lines[-1] if lines else ''}")


def take_turn(worker: Worker, key: str, seconds: float) -> list[float]:
    """Seconds of each step that the worker runs, alone, for about so long."""
    time.sleep(REST)
    return worker.call("run", key, seconds)


def product_worker(threads: int) -> Worker:
    """A worker that is ready to run "product", NumPy's single-precision matrix product."""
    worker = Worker("numpy", threads)
    worker.send("prepare", "product", str(HERE / "kernel_calls.py"), "product", PRODUCT)
    return worker


def rate(seconds: list[float]) -> float:
    """GFLOP/s of "product"."""
    return 2e-9 * PRODUCT**3 / median(seconds)


def flat(rounds: list[list[float]]) -> list[float]:
    """The steps of all rounds."""
    return [seconds for taken in rounds for seconds in taken]

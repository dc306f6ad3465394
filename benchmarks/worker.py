"""The process behind `driver.Worker`: prepares steps, runs them for a while when told to, and sleeps in between.

A request is a line of JSON on standard input, [method of Session, argument, …]; the answer is one line with its value
or its error. The file is run as a script and imports nothing of minigen itself: a peer's process holds the peer alone,
which its peak memory should show.
"""

import importlib
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Step = Callable[[], float]
WAKING = 0.05  # seconds at the start of a turn that are not counted: caches are cold, threads asleep, the clock is low
WARMUP = 3  # steps before the first is timed: they compile, allocate and choose algorithms


class Session:
    """The methods that can be asked for."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}

    def prepare(self, key: str, file: str, function: str, *arguments: Any) -> None:
        """Build a step by `function` of the Python file, run it a few times, and keep it under `key`."""
        module = load(Path(file))
        if not hasattr(module, function):
            raise NotImplementedError(f"{Path(file).name} has no function {function}")
        step = getattr(module, function)(*arguments)
        for _ in range(WARMUP):
            step()
        self.steps[key] = step

    def run(self, key: str, seconds: float) -> list[float]:
        """Seconds of each step, for about so long and at least two steps, after at least one that is not counted."""
        step, taken = self.steps[key], []
        awake = time.perf_counter() + WAKING
        step()
        while time.perf_counter() < awake:
            step()
        began = done = time.perf_counter()
        while len(taken) < 2 or done - began < seconds:
            start = time.perf_counter()
            step()
            done = time.perf_counter()
            taken.append(done - start)
        return taken

    def losses(self, key: str, count: int) -> list[str]:
        """What the next steps return, to the last bit."""
        return [float(self.steps[key]()).hex() for _ in range(count)]

    def peak(self) -> int:
        """The most bytes of this process that were ever in memory at once."""
        status = Path("/proc/self/status")
        if status.exists():  # ru_maxrss of Linux includes the parent's, from before this program was loaded
            return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def first_step(self, model: str) -> None:
        """`minigen train MODEL`, up to the end of its first step."""
        cli, progress = (importlib.import_module(f"minigen.{name}") for name in ("cli", "training.progress"))
        with tempfile.TemporaryDirectory() as folder:
            progress.Progress.update = leave
            try:
                cli.dispatch(["train", model, "--max-steps", "1", "--out", f"{folder}/run"])
            except StepDone:
                return
        raise RuntimeError(f"minigen train {model} ended without a step")

    def import_seconds(self, package: str) -> float:
        """How long `import package` takes in this process, which must be a new one."""
        began = time.perf_counter()
        importlib.import_module(package)
        return time.perf_counter() - began


class StepDone(BaseException):
    """Ends a training after its first step."""


def leave(*_: Any, **__: Any) -> None:
    """What a training calls after each step."""
    raise StepDone


def load(path: Path) -> Any:
    """The module in a file; loaded once."""
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is not a Python file")
        sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[path.stem]


def keep_to_cores(count: int) -> None:
    """Run on so many of the cores allowed. Every library then starts as many threads by its own default."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def answer(session: Session, request: list[Any]) -> dict[str, Any]:
    """The value that a method returned, or its error on one line."""
    method, *arguments = request
    try:
        return {"value": getattr(session, method)(*arguments)}
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0]}"}


def main() -> None:
    """Answer requests until the pipe is closed."""
    keep_to_cores(int(sys.argv[1]))
    sys.path.pop(0)  # this folder: its files are nobody's top-level modules
    with os.fdopen(os.dup(1), "w") as pipe:
        os.dup2(2, 1)  # what libraries print must not get among the answers
        session = Session()
        for line in sys.stdin:
            pipe.write(json.dumps(answer(session, json.loads(line))) + "\n")
            pipe.flush()


if __name__ == "__main__":
    main()

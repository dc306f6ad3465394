"""Chrome's trace format, as Perfetto and speedscope read it.

Google, Trace event format, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from minigen.files import write_atomic

PROCESS = {"pid": 1, "tid": 1}


class Timed(Protocol):
    """What ran, from when to when in seconds."""

    name: str
    phase: str
    module: str
    begin: float
    end: float
    shapes: tuple[tuple[int, ...], ...]
    multiply_adds: int
    bytes: int


def save(path: str | Path, events: Sequence[Timed], memory: Sequence[tuple[float, int]]) -> None:
    """Write events, and the bytes that were held over time. Raises RunError when the disk refuses."""
    entries = [entry(event) for event in sorted(events, key=lambda event: (event.begin, -event.end))]
    entries += [
        {"name": "results held", "ph": "C", "ts": time * 1e6, **PROCESS, "args": {"bytes": size}}
        for time, size in memory
    ]
    text = json.dumps({"traceEvents": entries, "displayTimeUnit": "ms"})
    write_atomic(Path(path), text.encode() + b"\n")


def entry(event: Timed) -> dict[str, Any]:
    """One event, times in microseconds."""
    about = {"module": event.module}
    if event.shapes:
        about["shapes"] = " ".join(map(str, event.shapes))
    if event.multiply_adds:
        about["multiply-adds"] = f"{event.multiply_adds:,}"
    if event.bytes:
        about["bytes"] = f"{event.bytes:,}"
    name = event.name if event.phase in ("forward", "step") else f"{event.name} {event.phase}"
    times = {"ts": event.begin * 1e6, "dur": (event.end - event.begin) * 1e6}
    return {"name": name, "cat": event.phase, "ph": "X", **times, **PROCESS, "args": about}

"""The table of a profile."""

from collections.abc import Sequence
from dataclasses import dataclass

from minigen.see.limits import Limits

HEADINGS = ("", "", "calls", "ms", "share", "M multiply-adds", "MB", "GFLOP/s", "of limit")


@dataclass
class Row:
    """What all calls of one kind took."""

    name: str
    phase: str
    calls: int = 0
    seconds: float = 0.0
    multiply_adds: int = 0
    bytes: int = 0


def table(rows: Sequence[Row], seconds: float, machine: Limits, top: int | None = None) -> str:
    """Rows with their share of the seconds, their rate, and how near they come to the machine's limit.

    GFLOP/s: two operations a multiply-add. top: only so many rows, and the others as one. The last row is the sum.
    """
    *inner, between = rows
    if top is not None and len(inner) > top:
        rest = inner[top - 1 :]
        inner = [*inner[: top - 1], total(f"{len(rest)} others", rest)]
    whole = total("all", [*inner, between])
    lines = [cells(row, seconds, machine) for row in (*inner, between, whole)]
    widths = [max(len(line[i]) for line in (HEADINGS, *lines)) for i in range(len(HEADINGS))]
    ruled = [HEADINGS, *lines[:-1], tuple("-" * width for width in widths), lines[-1]]
    return "\n".join(
        "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(both))
        for both in (list(zip(line, widths, strict=True)) for line in ruled)
    )


def total(name: str, rows: Sequence[Row]) -> Row:
    """Rows as one."""
    sums = (sum(getattr(row, field) for row in rows) for field in ("calls", "seconds", "multiply_adds", "bytes"))
    return Row(name, "", *sums)


def cells(row: Row, seconds: float, machine: Limits) -> tuple[str, ...]:
    """A row as text."""
    rate = limit = ""
    if row.seconds and row.multiply_adds:
        rate = f"{2e-9 * row.multiply_adds / row.seconds:.1f}"
    if row.seconds and row.bytes:
        limit = f"{machine.seconds(row.multiply_adds, row.bytes) / row.seconds:.0%}"
    return (
        *(row.name, row.phase, f"{row.calls:,}", f"{row.seconds * 1e3:.2f}", f"{row.seconds / seconds:.1%}"),
        f"{row.multiply_adds / 1e6:.2f}" if row.multiply_adds else "",
        f"{row.bytes / 1e6:.2f}" if row.bytes else "",
        *(rate, limit),
    )

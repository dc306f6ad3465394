"""How figures are shown: one table, as plain lines or in Markdown; and what is known of the machine."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minigen.info import version

NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Columns as pairs of title and width. Widths above 0 align to the right, below 0 to the left."""

    columns: Sequence[tuple[str, int]]

    def line(self, cells: Iterable[str]) -> str:
        """One row of plain text."""
        pairs = zip(cells, self.columns, strict=True)
        return " ".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}" for cell, (_, width) in pairs).rstrip()

    def heading(self) -> str:
        """The titles, in plain text."""
        return self.line(title for title, _ in self.columns)

    def markdown(self, rows: Iterable[Sequence[str]]) -> str:
        """All of the table."""
        rule = ["---" if width < 0 else "---:" for _, width in self.columns]
        lines = [[title for title, _ in self.columns], rule, *rows]
        return "".join(f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |\n" for cells in lines)


def milliseconds(seconds: float | None) -> str:
    """A time with three digits or so."""
    if seconds is None:
        return NOTHING
    value = seconds * 1e3
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def times(ratio: float | None) -> str:
    """A ratio, as in 1.52×."""
    return NOTHING if ratio is None else f"{ratio:.2f}×"


def share(value: float) -> str:
    """A percentage."""
    return f"{value:.0%}".replace("%", " %")


def environment(packages: Iterable[str]) -> dict[str, str]:
    """The processor, the interpreter, and the versions of the packages that are installed."""
    versions = {package: version(package) for package in packages}
    installed = {package: number for package, number in versions.items() if number != "not installed"}
    return {"cpu": processor(), "system": platform.system(), "python": platform.python_version()} | installed


def processor(path: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, as far as the system tells."""
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine(document: Mapping) -> str:
    """One sentence that says where the figures come from."""
    known = dict(document["environment"])
    cpu, system, python = (known.pop(name) for name in ("cpu", "system", "python"))
    packages = ", ".join(f"{package} {number}" for package, number in known.items())
    return f"{cpu}, {document['threads']} threads, {system}, Python {python}, {packages}; {document['date']}"

"""metrics.csv: one row a logged step, one column a quantity, empty where a quantity was not measured.

Columns stand in the order in which they first appear; a new one extends the header. The file holds no clock times,
so that a run that was interrupted and resumed ends with the same bytes as one that was not.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, RunError
from minigen.files import disk_error, read_regular, write_atomic

LIMIT = 2**28  # bytes: some millions of rows


class MetricLog:
    """The file at `path`, which appears with the first row."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.columns = self._read()[0]

    def append(self, step: int, values: Mapping[str, Any]) -> None:
        """Write one row at once. Values are numbers, or one-element tensors or arrays; None is left empty.

        Raises ArgumentError for a value or name that cannot be written, RunError when the disk refuses.
        """
        if isinstance(step, bool) or not isinstance(step, (int, np.integer)) or step < 0:
            raise ArgumentError(f"log: step is {step!r}; use a whole number ≥ 0")
        row = {"step": str(int(step))}
        for name, value in values.items():
            if name == "step" or not name or set(name) & set(',"\r\n'):
                raise ArgumentError(f"log: {name!r} cannot name a column")
            if value is not None:
                row[name] = text(scalar(value, name))
        new = [name for name in row if name not in self.columns]
        if new:
            empty = [""] * len(new)
            self._write([*self.columns, *new], [[*row, *empty] for row in self._read()[1]])
        self._append_line(",".join(row.get(name, "") for name in self.columns) + "\n")

    def trim(self, step: int | None) -> None:
        """Drop the rows after `step` (all of them when None) and the columns that only they had."""
        self.columns, rows = self._until(step)
        if rows:
            self._write(self.columns, rows)
        else:
            self.path.unlink(missing_ok=True)

    def digest(self, step: int) -> str:
        """SHA-256 of the file as it is without what was logged after `step`."""
        columns, rows = self._until(step)
        return hashlib.sha256(lines(columns, rows).encode()).hexdigest()

    def last_step(self) -> int:
        """The step of the last row, 0 without any."""
        rows = self._read()[1]
        return int(rows[-1][0]) if rows else 0

    def sync(self) -> None:
        """Force the rows to disk."""
        if not self.columns:
            return
        try:
            with open(self.path, "rb+") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_error("write", self.path, error) from error

    def history(self) -> dict[str, list]:
        """The columns: "step" as ints, every other as floats (NaN as it was logged), None where nothing was."""
        columns, rows = self._read()
        history: dict[str, list] = {}
        for i, name in enumerate(columns):
            number = int if name == "step" else float
            history[name] = [number(row[i]) if row[i] else None for row in rows]
        return history

    def _append_line(self, line: str) -> None:
        try:
            with open(self.path, "ab") as file:
                size = file.tell()
                try:
                    file.write(line.encode())
                    file.flush()
                except OSError:
                    os.truncate(self.path, size)  # no half rows
                    raise
        except OSError as error:
            raise disk_error("write", self.path, error) from error

    def _write(self, columns: list[str], rows: list[list[str]]) -> None:
        write_atomic(self.path, lines(columns, rows).encode())
        self.columns = columns

    def _until(self, step: int | None) -> tuple[list[str], list[list[str]]]:
        """The rows up to `step`, none of them when None, and the columns in which they have something."""
        columns, rows = self._read()
        rows = [row for row in rows if step is not None and int(row[0]) <= step]
        used = [i for i in range(len(columns)) if any(row[i] for row in rows)]
        return [columns[i] for i in used], [[row[i] for i in used] for row in rows]

    def _read(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows as text. A last line cut short by a crash is no row. Raises RunError on a damaged file."""
        try:
            header, *rest = read_regular(self.path, LIMIT).decode().split("\n")[:-1] or [""]
        except FileNotFoundError:
            return [], []
        except UnicodeDecodeError as error:
            raise self._damaged(error) from error
        try:
            columns = header.split(",")
            if columns[0] != "step" or len(set(columns)) < len(columns):
                raise ValueError("its first line names no columns")
            rows = [line.split(",") for line in rest]
            for number, row in enumerate(rows, 2):
                if len(row) != len(columns):
                    raise ValueError(f"line {number} has {len(row)} values for {len(columns)} columns")
                if not (row[0].isascii() and row[0].isdigit() and len(row[0]) < 16):
                    raise ValueError(f"line {number} has the step {row[0][:40]!r}")
                for value in row[1:]:
                    _ = float(value or 0)
        except ValueError as error:
            raise self._damaged(error) from error
        return columns, rows

    def _damaged(self, error: ValueError) -> RunError:
        return RunError(f"{self.path} is damaged: {error}. Mend or remove it, then go on with --resume")


def lines(columns: list[str], rows: list[list[str]]) -> str:
    """The text of the file; nothing without columns."""
    return "".join(",".join(row) + "\n" for row in ([columns] if columns else []) + rows)


def scalar(value: Any, name: str) -> int | float:
    """A number out of a Python or NumPy number, or a one-element tensor or array. Raises ArgumentError for others."""
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    try:
        item = value.item()
    except (AttributeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"{name} is {type(value).__name__}; log numbers, or tensors of one element") from error
    if isinstance(item, (bool, int, float)):
        return scalar(item, name)
    raise ArgumentError(f"{name} holds {type(item).__name__}; log numbers")


def text(value: int | float) -> str:
    """Nine significant digits: enough to tell any two float32 apart."""
    return str(value) if isinstance(value, int) else f"{value:.9g}"

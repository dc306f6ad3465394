"""metrics.csv: one row a logged step, one column a quantity, empty where a quantity was not measured.

Columns stand in the order in which they first appear; a new one extends the header. The file holds no clock times,
so that a run that was interrupted and resumed ends with the same bytes as one that was not.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, RunError
from minigen.files import disk_error, write_atomic


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
            self._write([*self.columns, *new], self._read()[1])
        self._append_line(",".join(row.get(name, "") for name in self.columns) + "\n")

    def trim(self, step: int | None) -> None:
        """Drop the rows after `step` (all of them when None) and the columns that only they had."""
        columns, rows = self._read()
        if not columns:
            return
        kept = [row for row in rows if step is not None and int(row["step"]) <= step]
        used = [name for name in columns if any(row[name] for row in kept)]
        if kept:
            self._write(used, kept)
        else:
            self.path.unlink()
            self.columns = []

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
        for name in columns:
            number = int if name == "step" else float
            history[name] = [number(row[name]) if row[name] else None for row in rows]
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

    def _write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        lines = [",".join(columns), *(",".join(row.get(name, "") for name in columns) for row in rows)]
        write_atomic(self.path, ("\n".join(lines) + "\n").encode())
        self.columns = columns

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows as text. A last line cut short by a crash is no row. Raises RunError on a damaged file."""
        if not self.path.exists():
            return [], []
        try:
            header, *lines = self.path.read_bytes().decode().split("\n")[:-1] or [""]
            columns = header.split(",")
            if columns[0] != "step" or len(set(columns)) < len(columns):
                raise ValueError("its first line names no columns")
            rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines]
            for row in rows:
                for name, value in row.items():
                    _ = int(value) if name == "step" else float(value or 0)
        except ValueError as error:
            raise RunError(f"{self.path} is damaged: {error}. Mend or remove it, then go on with --resume") from error
        except OSError as error:
            raise disk_error("read", self.path, error) from error
        return columns, rows


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

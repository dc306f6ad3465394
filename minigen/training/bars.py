"""Bars that show how far a loop has come: on a terminal by rich, in a notebook as HTML that is renewed in place."""

import html
import importlib
from typing import Any, Protocol, TextIO


class Bar(Protocol):
    """What both have."""

    def show(self, step: int, status: str) -> None:
        """Draw the bar anew."""
        ...

    def stop(self) -> None:
        """Take it away."""
        ...


def bar_for(stream: TextIO, description: str, total: int, step: int, status: str) -> Bar | None:
    """The bar that fits where the output goes; None where lines are better."""
    if type(stream).__module__.startswith("ipykernel."):
        return NotebookBar(description, total, step, status)
    return TerminalBar(stream, description, total, step, status) if stream.isatty() else None


class TerminalBar:
    """A bar on a terminal. No thread draws behind the loop's back: `show` does."""

    def __init__(self, stream: TextIO, description: str, total: int, step: int, status: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(file=stream, force_terminal=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            TextColumn("{task.fields[status]}", markup=False),
        )
        self.progress = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self.task = self.progress.add_task(description, total=total, completed=step, status=status)
        self.progress.start()
        self.progress.refresh()

    def show(self, step: int, status: str) -> None:
        """Draw it anew."""
        self.progress.update(self.task, completed=step, status=status, refresh=True)

    def stop(self) -> None:
        """Take it away."""
        self.progress.stop()


class NotebookBar:
    """`<progress>` in a cell's output: HTML alone, no widgets, so that it also stands in a saved notebook."""

    def __init__(self, description: str, total: int, step: int, status: str) -> None:
        self.description, self.total = description, total
        display: Any = importlib.import_module("IPython.display")  # which is there, as we are inside it
        self.html = display.HTML
        self.handle = display.display(self.html(self.text(step, status)), display_id=True)

    def text(self, step: int, status: str) -> str:
        """The bar as HTML."""
        name, told = html.escape(self.description), html.escape(status)
        return f'<label>{name} <progress max="{self.total}" value="{step}"></progress> <code>{told}</code></label>'

    def show(self, step: int, status: str) -> None:
        """Draw it anew."""
        self.handle.update(self.html(self.text(step, status)))

    def stop(self) -> None:
        """Take it away."""
        self.handle.update(self.html(""))

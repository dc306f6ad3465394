"""What a search found: a table of the best trials, the best recipe as a command, and a picture."""

from typing import Any

from minigen import flags, plots
from minigen.files import write_atomic
from minigen.search.journal import Trial
from minigen.search.space import Range
from minigen.search.worker import Search

SHOWN = 5  # trials of the table
COMMAND, PICTURE = "best.txt", "search.png"


class Findings:
    """Of the trials that are over. `save` writes the command and the picture into the search's folder.

    To be made and saved inside `search.alone()`, or an older one may be written over a newer one.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.trials = search.journal.trials()
        self.best = search.ranked(self.trials)
        self.importances = search.journal.importances()

    @property
    def command(self) -> str | None:
        """What trains the best recipe; None while no trial came to its end."""
        return flags.command(self.search.model, self.search.recipe(self.best[0])) if self.best else None

    def count(self) -> str:
        """How many trials there are, and how they ended, on one line."""
        pruned = sum(trial.why == "pruned" for trial in self.trials)
        lost = sum(trial.state == "pruned" for trial in self.trials) - pruned
        running = sum(trial.state == "running" for trial in self.trials)
        said = [f"{len(self.best)} trained to their end", f"{pruned} pruned"]
        said += [f"{lost} diverged or refused"] * bool(lost) + [f"{running} not over yet"] * bool(running)
        return f"{len(self.trials) - running} of {self.search.trials} trials: {', '.join(said)}"

    def table(self) -> list[tuple[str, ...]]:
        """The best trials, a row each, and a first row of names."""
        names = list(self.search.space)
        head = ("", self.search.goal.figure, *map(flags.flag_of, names))
        return [head, *map(self.row, self.best[:SHOWN])] if self.best else []

    def row(self, trial: Trial) -> tuple[str, ...]:
        """One trial of the table."""
        values = (flags.written(trial.values[name]) for name in self.search.space)
        return (self.search.place(trial).name, f"{trial.figure:.6g}", *values)

    def save(self) -> list[str]:
        """Write best.txt, and search.png where there is something to draw; the paths of both."""
        if self.command is None:
            return []
        folder = self.search.folder
        write_atomic(folder / COMMAND, f"{self.command}\n".encode())
        if len(self.best) < 2:
            return [str(folder / COMMAND)]
        slices = {name: [trial.values[name] for trial in self.best] for name in self.search.space}
        logarithmic = {name for name, one in self.search.space.items() if isinstance(one, Range) and one.log}
        plots.save_search(
            folder / PICTURE,
            self.search.goal.figure,
            [trial.figure or 0.0 for trial in self.best],
            {name: [v if is_number(v) else flags.written(v) for v in values] for name, values in slices.items()},
            self.importances,
            logarithmic,
            f"{self.search.model} · {self.count()}",
        )
        return [str(folder / COMMAND), str(folder / PICTURE)]


def is_number(value: Any) -> bool:
    """Whether a value has its place on a scale."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)

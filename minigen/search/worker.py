"""A worker takes trial after trial, trains it into a run folder of its own, and writes down what came of it.

    search.json     what is searched: model, fixed flags, ranges, figure; the same for all who join
    journal.log     all trials, see minigen.search.journal
    trial-012       the run folder of the twelfth trial; who holds its lock trains it
    best.txt        the best recipe as a command
    search.png      what mattered, and where good values lie

A trial that is running, and whose folder nobody holds, was left by a worker that was killed or stopped: whoever comes
next goes on with it from its checkpoint, which ends with the same bits. So no trial is lost, none counts twice, and
there are as many in the end as were asked for.
"""

import contextlib
import dataclasses
import io
import json
import math
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from minigen.errors import ArgumentError, GradientError, RunError, ShapeError
from minigen.files import disk_error, remove_leavings, write_atomic
from minigen.flags import written
from minigen.search.goal import Goal
from minigen.search.journal import Journal, Trial
from minigen.search.locks import FileLock
from minigen.search.space import Space, refusal
from minigen.training import Run
from minigen.training.lock import NAME as LEFT
from minigen.training.lock import RunLock, is_held
from minigen.training.progress import duration, say

NAME = "search."  # what the names of files begin with that are there before any trial
SETTINGS = f"{NAME}json"
LOCK = f"{NAME}lock"  # of who begins a trial, or takes one up


class Pruned(Exception):
    """Ends a training that is not worth going on with."""


@dataclass
class Search:
    """The search for the best recipe of `model` in `folder`; `open` it, then `work`.

    base: the recipe with all that is fixed; fixed: those fields as the user gave them. trials: how many there are to be
    when all workers are done. say: who is told, a line at a time.
    """

    folder: Path
    model: str
    module: ModuleType
    base: Any
    fixed: Mapping[str, Any]
    space: Space
    goal: Goal
    trials: int
    pruning: bool = True
    say: Callable[[str], None] = print
    journal: Journal = field(init=False)
    hinted: bool = False  # whether it was said that the figure is not logged

    def open(self) -> None:
        """Make the folder, or join the search in it. Raises RunError or ArgumentError when another one is in it."""
        if self.folder.is_file():
            raise RunError(f"{self.folder} is a file; choose another folder with --out")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error("create", self.folder, error) from error
        file = self.folder / SETTINGS
        others = [path for path in self.folder.iterdir() if not path.name.startswith(NAME)]
        if others and not file.exists():
            raise RunError(f"{self.folder} is not empty, and holds no search; choose another folder with --out")
        with self.alone():
            if file.exists():
                self.check_settings(file)
            else:
                write_atomic(file, json.dumps(self.settings(), indent=2).encode() + b"\n")
            self.journal = Journal(self.folder, self.goal.mode, self.space, self.pruning)

    def remove_if_unused(self) -> None:
        """Remove the folder while no trial has trained a step, and none is at it: its settings may have been wrong."""
        trials = [path.parent for path in self.folder.glob("*/recipe.json")]
        begun = {path.name for folder in trials for path in folder.rglob("*") if path.is_file()} - {"recipe.json", LEFT}
        if not begun and not any(map(is_held, trials)) and not self.finished():
            shutil.rmtree(self.folder)

    def settings(self) -> dict[str, Any]:
        """What all who join have in common."""
        over = {name: str(one) for name, one in self.space.items()}
        goal = {"for": self.goal.figure, "mode": self.goal.mode, "prune": self.pruning}
        return {"model": self.model, "fixed": dict(self.fixed), "over": over, **goal}

    def check_settings(self, file: Path) -> None:
        """Raise ArgumentError when the search in the folder is another one."""
        try:
            found = json.loads(file.read_bytes())
            differing = [name for name, value in self.settings().items() if found[name] != value]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{file} is damaged ({error}); choose another folder with --out") from error
        for name in differing:
            raise ArgumentError(
                f"the search in {self.folder} has {name} {found[name]}, this one {self.settings()[name]}; join it by "
                "the same command, or choose another folder with --out"
            )

    def alone(self) -> FileLock:
        """`with search.alone():` no other worker begins a trial, takes one up, or writes what was found."""
        return FileLock(self.folder / LOCK)

    def tidy(self) -> None:
        """Remove what killed workers left beside the trials that are over; to be called alone."""
        remove_leavings([self.folder])
        for trial in self.finished():
            if (self.place(trial) / LEFT).exists():
                with contextlib.suppress(RunError), RunLock(self.place(trial)):  # whose leaving takes it away
                    pass

    def work(self, going: Callable[[], bool] = lambda: True) -> None:
        """Take trials until there are none left to begin or to take up, or `going` says no.

        Raises KeyboardInterrupt when Ctrl-C stopped a training, which is saved then.
        """
        while going():
            with contextlib.ExitStack() as held:
                taken = self.take(held)
                if taken is None:
                    return
                self.attempt(*taken)

    # ---------------------------------------------------------------- which trial

    def take(self, held: contextlib.ExitStack) -> tuple[Trial, Run] | None:
        """A trial that was left, or a new one, its folder locked in `held`; None when others have all that is left."""
        with self.alone():
            trials = self.journal.trials()
            for trial in trials:
                if trial.state == "running" and (run := self.locked(trial, held)) is not None:
                    return trial, run
            if len(trials) >= self.trials:
                return None
            values = self.journal.propose(getattr(self.base, "seed", 0), lambda values: refusal(self.base, values))
            trial = self.journal.begin(values)
            run = self.locked(trial, held)
            if run is None:
                raise RunError(f"{self.place(trial)} is held by somebody, but it is not of this search; move it away")
            return trial, run

    def locked(self, trial: Trial, held: contextlib.ExitStack) -> Run | None:
        """The run of a running trial, now ours; None when somebody trains it, or has just ended it."""
        folder = self.place(trial)
        fresh = not (folder / "recipe.json").exists()
        run = Run.create(folder, self.model, self.recipe(trial)) if fresh else Run.open(folder, self.model)
        try:
            run.lock.__enter__()
        except RunError as error:
            if error.__cause__ is not None:  # of the disk
                raise
            return None
        if self.journal.trials()[trial.number - 1].state != "running":
            run.lock.__exit__()
            return None
        held.push(run.lock)
        return run

    def place(self, trial: Trial) -> Path:
        """The folder of a trial."""
        return self.folder / f"trial-{trial.number:03d}"

    def recipe(self, trial: Trial) -> Any:
        """The whole recipe of a trial."""
        return dataclasses.replace(self.base, **trial.values)

    # ---------------------------------------------------------------- what comes of it

    def attempt(self, trial: Trial, run: Run) -> None:
        """Train a trial to its end, or until it is not worth it, and write down its figure."""
        begun = f", from step {run.step:,} on" * bool(run.step)
        self.say(f"{run.path.name} of {self.trials}: {described(trial.values)}{begun}")
        figure, why = None, ""
        try:
            self.train(trial, run)
        except Pruned:
            why = "pruned"
        except (GradientError, ArgumentError, ShapeError) as error:
            if not isinstance(error, GradientError) and not self.finished():
                raise  # it may be the whole search that is wrong
            why = str(error).partition(";")[0]
        else:
            figure = self.goal.measured(run)
            if not math.isfinite(figure):
                figure, why = None, f"{self.goal.figure} is {figure}"
        self.journal.finish(trial.number, figure, why)
        self.say(self.outcome(trial.number, run))

    def train(self, trial: Trial, run: Run) -> None:
        """Train a run to its end, and measure it where only an evaluation knows the figure; raises Pruned."""
        judge = Judge(self, trial)
        run.followers.append(judge)
        with contextlib.redirect_stdout(io.StringIO()):
            judge.look(run)
            self.module.train(self.recipe(trial), run)
            if run.interrupted:
                run.finish()
                raise KeyboardInterrupt
            run.finish(**({} if self.goal.logged(run) else self.module.evaluate(run)))

    def hint(self, run: Run) -> None:
        """Say, as soon as it is known, that the figure is not logged: its name may be wrong."""
        logged = ", ".join(name for name in run.history() if name != "step")
        told = (
            f"{self.goal.figure} is not logged ({logged} are), so no trial is pruned; it is looked for in the results"
        )
        say(f"minigen: {told} of an evaluation at the end of each trial", sys.stderr)

    def finished(self) -> list[Trial]:
        """The trials that are over."""
        return [trial for trial in self.journal.trials() if trial.state != "running"]

    def outcome(self, number: int, run: Run) -> str:
        """One line: what a trial came to, beside the best so far."""
        done = self.finished()
        trial = next(trial for trial in done if trial.number == number)
        said = f"{self.goal.figure} {trial.figure:.5g}" if trial.state == "complete" else trial.why
        best = self.best(done)
        beside = f"; best {best.figure:.5g}, {self.place(best).name}" if best and best.number != number else ""
        return f"{run.path.name}: {said}, {run.step:,} steps in {duration(run.seconds)}{beside}"

    def best(self, trials: list[Trial]) -> Trial | None:
        """The best of those that came to their end; of two alike the first."""
        return next(iter(self.ranked(trials)), None)

    def ranked(self, trials: list[Trial]) -> list[Trial]:
        """Those that came to their end, the best first."""
        sign = 1 if self.goal.mode == "min" else -1
        complete = [trial for trial in trials if trial.state == "complete" and trial.figure is not None]
        return sorted(complete, key=lambda trial: sign * (trial.figure or 0.0))


class Judge:
    """Follows a run: tells the journal the figure of each round, and ends what is not worth going on with."""

    def __init__(self, search: Search, trial: Trial) -> None:
        self.search, self.number, self.reported = search, trial.number, trial.rounds

    def logged(self, step: int, values: Mapping[str, Any]) -> None:
        """A row of metrics.csv, which is read at the end of the round."""

    def saved(self, run: Run) -> None:
        """A round is over, and saved."""
        self.look(run)

    def finished(self, run: Run, results: Mapping[str, Any]) -> None:
        """The end of the training, which needs no judgement."""

    def look(self, run: Run) -> None:
        """Report what was not yet; raises Pruned. A run that another worker began may be past its end already."""
        journal, figures = self.search.journal, self.search.goal.logged(run)
        for rounds in range(self.reported + 1, len(figures) + 1):
            journal.report(self.number, rounds, figures[rounds - 1])
        self.reported = max(self.reported, len(figures))
        if figures and not run.trained and journal.hopeless(self.number):
            raise Pruned
        if not figures and run.step and not self.search.hinted:
            self.search.hinted = True
            self.search.hint(run)


def described(values: Mapping[str, Any]) -> str:
    """Values on one line: lr 0.002, hidden 256."""
    return ", ".join(f"{name.replace('_', ' ')} {written(value)}" for name, value in values.items())

"""What all workers know of all trials: Optuna's journal, a file of lines in the search's folder, and its sampler.

A trial is one line when it begins, with all its values, and one when it is over. There is none that is half drawn, and
none is ever written off: whoever was killed leaves it running, for somebody to go on with.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from minigen.errors import ArgumentError, RunError
from minigen.search.goal import Mode
from minigen.search.locks import FileLock
from minigen.search.space import Choices, Range, Space

State = Literal["running", "complete", "pruned"]
DIRECTIONS = {"min": "minimize", "max": "maximize"}
NAME = "search"
DRAWS = 100  # until one is allowed and new
FIRST = 5  # trials that are trained to their end before any is pruned
FEW = 8  # complete trials, below which nobody can say what mattered


@dataclass(frozen=True)
class Trial:
    """One trial, by its number from 1: the values of its recipe, how it ended, and with which figure.

    figure: that of the last round for one that was pruned; None where there is none. rounds: how many were reported.
    why: what ended it before its time.
    """

    number: int
    values: dict[str, Any]
    state: State
    figure: float | None
    rounds: int
    why: str


class Journal:
    """All trials of the search in `folder`. Raises ArgumentError without Optuna, RunError when its file is damaged.

    Trials are begun by one process at a time, which holds a lock for it. Everything else may be called at any time.
    """

    def __init__(self, folder: Path, mode: Mode, space: Space, pruning: bool) -> None:
        self.optuna: Any = load_optuna()
        self.space, self.mode = space, mode
        file = folder / "journal.log"
        storages, pruners = self.optuna.storages, self.optuna.pruners
        file.touch()
        backend = storages.journal.JournalFileBackend(str(file), FileLock(folder / "journal.lock", lines=file))
        try:
            self.study = self.optuna.create_study(
                storage=storages.JournalStorage(backend),
                study_name=NAME,
                direction=DIRECTIONS[mode],
                pruner=pruners.MedianPruner(n_startup_trials=FIRST) if pruning else pruners.NopPruner(),
                load_if_exists=True,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{file} is damaged ({error}); restore it, or begin in another folder by --out") from error
        self.distributions = {name: distribution(self.optuna, one) for name, one in space.items()}

    def trials(self) -> list[Trial]:
        """All there are, in order."""
        return [self.told(trial) for trial in self.study.get_trials(deepcopy=False)]

    def told(self, trial: Any) -> Trial:
        """A trial of Optuna's in our words."""
        state, figure = trial.state.name.lower(), None if trial.values is None else trial.values[0]
        why = trial.user_attrs.get("why", "")
        return Trial(trial.number + 1, dict(trial.params), state, figure, len(trial.intermediate_values), why)

    def begin(self, values: Mapping[str, Any]) -> Trial:
        """A new trial with these values."""
        create, state = self.optuna.trial.create_trial, self.optuna.trial.TrialState.RUNNING
        self.study.add_trial(create(state=state, params=dict(values), distributions=self.distributions))
        return self.trials()[-1]

    def propose(self, seed: int, refused: Callable[[Mapping[str, Any]], ArgumentError | None]) -> dict[str, Any]:
        """Values for the next trial: by chance for the first ten, then where the best ones lie dense.

        Bergstra, Bardenet, Bengio, Kégl (2011), Algorithms for hyper-parameter optimization, section 4 (TPE), with all
        values drawn together; trials that still run count as bad ones, so that workers do not all go the same way.
        They depend on the seed, the number of trials so far and what came of them alone. What is `refused`, or was
        tried, is drawn again. Raises ArgumentError when nothing else comes.
        """
        known, spare, problem = [trial.values for trial in self.trials()], None, None
        drawn = np.random.SeedSequence([seed, len(known)]).generate_state(1)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            sampler = self.optuna.samplers.TPESampler(seed=int(drawn), multivariate=True, constant_liar=True)
            draft = self.optuna.create_study(direction=DIRECTIONS[self.mode], sampler=sampler)
            draft.add_trials(self.study.get_trials(deepcopy=False))
            for _ in range(DRAWS):
                trial = draft.ask(self.distributions)
                values = {name: rounded(self.space[name], value) for name, value in trial.params.items()}
                problem = refused(values)
                if problem is None and values not in known:
                    return values
                spare = values if problem is None else spare
                draft.tell(trial, state=self.optuna.trial.TrialState.FAIL)
        if spare is None:
            raise ArgumentError(f"search: {DRAWS} draws gave no recipe that is allowed; the last one: {problem}")
        return spare

    def report(self, number: int, rounds: int, figure: float) -> None:
        """The figure of a running trial after so many rounds."""
        self.running(number).report(figure, rounds)

    def hopeless(self, number: int) -> bool:
        """Whether a running trial's best figure is worse than the median of the others after as many rounds."""
        return self.running(number).should_prune()

    def finish(self, number: int, figure: float | None, why: str = "") -> None:
        """The trial is over: with this figure, or None for one that ended before its time."""
        if why:
            self.running(number).set_user_attr("why", why)
        states = self.optuna.trial.TrialState
        self.study.tell(number - 1, figure, state=states.PRUNED if figure is None else states.COMPLETE)

    def running(self, number: int) -> Any:
        """Optuna's own object for a trial that somebody else may have begun."""
        return self.optuna.trial.Trial(self.study, self.study.get_trials(deepcopy=False)[number - 1]._trial_id)

    def importances(self) -> dict[str, float]:
        """How much each value's choice decides whether a trial is among the best tenth; they add up to 1.

        Watanabe, Bansal, Hutter (2023), PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
        subspaces, https://arxiv.org/abs/2304.10255. Empty where too few trials say anything.
        """
        complete = sum(trial.state == "complete" for trial in self.trials())
        if complete < FEW:
            return {}
        importance = self.optuna.importance
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importance.get_param_importances(
                self.study, evaluator=importance.PedAnovaImportanceEvaluator(), params=list(self.space)
            )


def load_optuna() -> Any:
    """Optuna, which says only what goes wrong. Raises ArgumentError without it."""
    try:
        import optuna
    except ImportError:
        raise ArgumentError("minigen search needs Optuna: pip install 'minigen[search]'") from None
    optuna.logging.set_verbosity(logging.WARNING)
    return optuna


def distribution(optuna: Any, one: Choices | Range) -> Any:
    """Optuna's own object for a range."""
    if isinstance(one, Choices):
        return optuna.distributions.CategoricalDistribution(one.values)
    kind = optuna.distributions.IntDistribution if one.whole else optuna.distributions.FloatDistribution
    return kind(one.low, one.high, log=one.log)


def rounded(one: Choices | Range, value: Any) -> Any:
    """A drawn value, a number with three digits."""
    return value if isinstance(one, Choices) else one.rounded(value)

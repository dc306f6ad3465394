"""Searching a recipe: which rate, which width (`minigen search`); and a first guess of the rate (`minigen lr`).

    space.py     what may be searched, and between which values
    goal.py      the figure that decides, and which way it is better
    journal.py   what all workers know of all trials, by Optuna
    locks.py     who may write
    worker.py    takes trial after trial, and trains it
    findings.py  what came of it: table, command, picture
    rates.py     a training under a rising learning rate

Optuna (extra `search`) is imported by journal.py alone, and only when a search begins.
"""

from minigen.search.findings import Findings
from minigen.search.goal import Goal, goal_of
from minigen.search.rates import Sweep, swept
from minigen.search.space import Space, space_of
from minigen.search.worker import Search

__all__ = ["Findings", "Goal", "Search", "Space", "Sweep", "goal_of", "space_of", "swept"]

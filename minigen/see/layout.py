"""Where boxes stand, so that lines run downwards and cross little.

K. Sugiyama, S. Tagawa, M. Toda (1981), Methods for visual understanding of hierarchical system structures, IEEE
Transactions on Systems, Man and Cybernetics 11: rows by the longest way to a box, points in between for lines that pass
rows, the order in a row by the middle of the neighbours' places, swept up and down.
"""

import itertools
from collections.abc import Sequence

import numpy as np

SWEEPS = 12


def rows(inputs: Sequence[Sequence[int]]) -> list[int]:
    """The row of each box, from what each is made of: below all of that, and what nothing is above just above its first
    user."""
    row = [0] * len(inputs)
    for i, before in enumerate(inputs):
        row[i] = max((row[j] + 1 for j in before), default=0)
    first_use: dict[int, int] = {}
    for i, before in enumerate(inputs):
        for j in before:
            first_use[j] = min(first_use.get(j, row[i]), row[i])
    return [first_use[i] - 1 if not inputs[i] and i in first_use else row[i] for i in range(len(inputs))]


class Layout:
    """x and row of each box, and the points of each line.

    inputs: for each box the numbers of the boxes that it is made of, all smaller than its own. widths: of the boxes,
    all in one unit; gap: between two of a row.
    """

    def __init__(self, inputs: Sequence[Sequence[int]], widths: Sequence[float], gap: float = 1.0) -> None:
        self.row = rows(inputs)
        self.widths, self.gap = list(widths), gap
        self.lines: list[list[int]] = []  # numbers of the boxes and points that a line goes through, downwards
        for i, before in enumerate(inputs):
            for j in before:
                self.lines.append([j, *self.points(j, i), i])
        self.above: list[list[int]] = [[] for _ in self.row]
        self.below: list[list[int]] = [[] for _ in self.row]
        for line in self.lines:
            for upper, lower in itertools.pairwise(line):
                self.below[upper].append(lower)
                self.above[lower].append(upper)
        self.levels: list[list[int]] = [[] for _ in range(max(self.row, default=0) + 1)]
        for i, row in enumerate(self.row):
            self.levels[row].append(i)
        self.x = np.zeros(len(self.row))
        for level in self.levels:
            self.pack(level)
        for sweep in range(SWEEPS):
            downwards = sweep % 2 == 0
            for level in self.levels if downwards else self.levels[::-1]:
                self.order(level, self.above if downwards else self.below)
        for sweep in range(SWEEPS):
            for level in self.levels if sweep % 2 == 0 else self.levels[::-1]:
                self.settle(level)
        self.x -= min((self.x[i] - self.widths[i] / 2 for i in range(len(self.x))), default=0.0)

    def points(self, upper: int, lower: int) -> list[int]:
        """New points, one in each row that a line passes."""
        first = len(self.row)
        between = range(self.row[upper] + 1, self.row[lower])
        self.row += between
        self.widths += [0.0] * len(between)
        return list(range(first, first + len(between)))

    def pack(self, level: Sequence[int]) -> None:
        """Beside each other in this order, the middle at 0."""
        right = np.cumsum([self.widths[i] + self.gap for i in level])
        for i, edge in zip(level, right, strict=True):
            self.x[i] = edge - self.widths[i] / 2 - right[-1] / 2

    def order(self, level: list[int], neighbours: Sequence[Sequence[int]]) -> None:
        """By the middle of what each is tied to in the next row."""
        middles = {i: float(np.mean([self.x[j] for j in neighbours[i]])) if neighbours[i] else self.x[i] for i in level}
        level.sort(key=lambda i: middles[i])
        self.pack(level)

    def settle(self, level: Sequence[int]) -> None:
        """Each as near to the middle of its neighbours as the others in its row let it, in the order that they have."""
        wanted = [
            float(np.mean([self.x[j] for j in (*self.above[i], *self.below[i])]))
            if self.above[i] or self.below[i]
            else self.x[i]
            for i in level
        ]
        places: list[float] = []  # blocks of boxes that touch share a place: their mean
        blocks: list[tuple[float, int]] = []
        offsets = np.concatenate([[0.0], np.cumsum([self.apart(a, b) for a, b in itertools.pairwise(level)])])
        for i, want in enumerate(wanted):
            total, count = want - offsets[i], 1
            while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
                other, others = blocks.pop()
                total, count = total + other, count + others
            blocks.append((total, count))
        for total, count in blocks:
            places += [total / count] * count
        for i, place, offset in zip(level, places, offsets, strict=True):
            self.x[i] = place + offset

    def apart(self, left: int, right: int) -> float:
        """How far the middles of two neighbours in a row are from each other, at least."""
        return (self.widths[left] + self.widths[right]) / 2 + self.gap

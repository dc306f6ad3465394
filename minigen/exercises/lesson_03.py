"""Exercises of lesson 3: graphs and sweeps."""

import numpy as np

from minigen.exercises.exercise import Exercise


def softmax_backward(p: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """∂L/∂l for p = softmax(l) of each row, where pᵢ = exp(lᵢ) / Σⱼ exp(lⱼ), without making a matrix for each row.

    p and upstream = ∂L/∂p: (N, K). The derivative of pᵢ by lⱼ is pᵢ (1 - pᵢ) where i = j, and -pᵢ pⱼ where not.
    """
    return p * (upstream - (p * upstream).sum(axis=1, keepdims=True))


def sweep_order(parents: list[tuple[int, ...]], output: int) -> np.ndarray:
    """The nodes that a backward sweep from `output` visits, itself included, in the order in which it visits them.

    parents[k]: the numbers of the nodes that node k was computed from, all smaller than k; () for an input.
    Only nodes that the output was computed from are visited, each of them once, the latest first.
    """
    found, stack = {output}, [output]
    while stack:
        new = set(parents[stack.pop()]) - found
        found |= new
        stack += new
    return np.array(sorted(found, reverse=True))


def count_paths(parents: list[tuple[int, ...]], start: int, end: int) -> int:
    """How many paths lead from node `start` to the later node `end`, in one sweep; from a node to itself there is one.

    parents: as in sweep_order. A parent that stands there twice gives twice as many paths.
    """
    paths = [0] * len(parents)
    paths[end] = 1
    for k in range(end, start, -1):
        for parent in parents[k]:
            paths[parent] += paths[k]
    return paths[start]


def overwritten(parents: list[tuple[int, ...]], start: int, end: int) -> int:
    """Where ways meet, the last one takes the place of the others."""
    paths = [0] * len(parents)
    paths[end] = 1
    for k in range(end, start, -1):
        for parent in parents[k]:
            paths[parent] = paths[k]
    return paths[start]


def nodes_between(parents: list[tuple[int, ...]], start: int, end: int) -> int:
    """How many nodes lie on a path, the first one apart; 0 where there is none."""
    behind = [k for k in range(end + 1) if count_paths(parents, k, end)]
    return sum(count_paths(parents, start, k) > 0 for k in behind if k > start) if start != end else 1


def single_paths(parents: list[tuple[int, ...]], start: int, end: int) -> int:
    """A parent that stands there twice counts once."""
    return count_paths([tuple(set(ks)) for ks in parents], start, end)


def depth_first(parents: list[tuple[int, ...]], output: int) -> np.ndarray:
    """As a stack meets them: each parent right after a node that uses it, also when others still will."""
    found, stack = [], [output]
    while stack:
        node = stack.pop()
        if node not in found:
            found.append(node)
            stack += parents[node]
    return np.array(found)


def recursive(parents: list[tuple[int, ...]], output: int) -> np.ndarray:
    """Depth first, by calls: the first parent and all behind it, then the second."""
    found = []

    def go(node: int) -> None:
        if node not in found:
            found.append(node)
            for parent in parents[node]:
                go(parent)

    go(output)
    return np.array(found)


def breadth_first(parents: list[tuple[int, ...]], output: int) -> np.ndarray:
    """As a queue meets them: all parents, then all of theirs."""
    found = [output]
    for node in found:
        found += [parent for parent in dict.fromkeys(parents[node]) if parent not in found]
    return np.array(found)


def with_repeats(parents: list[tuple[int, ...]], output: int) -> np.ndarray:
    """Every path on its own."""
    found, stack = [], [output]
    while stack:
        found.append(stack.pop())
        stack += parents[found[-1]]
    return np.array(sorted(found, reverse=True))


DIAMOND = [(), (0,), (0,), (1, 2)]
DOUBLING = [(), (0, 0), (1, 1), (2, 2)]
ASIDE = [(), (), (0,), (1, 0), (2, 3), (3,), (4, 2, 0)]


EXERCISES = [
    Exercise(
        answer=softmax_backward,
        cases=lambda rng: [
            (rng.dirichlet(np.ones(3), 2), rng.standard_normal((2, 3))),
            (rng.dirichlet(np.ones(5), 1), rng.standard_normal((1, 5))),
            (np.array([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]]), np.array([[1.0, -2.0, 3.0], [1.0, 1.0, 1.0]])),
        ],
        mistakes={
            "the sum over classes is missing: every logit changes every probability": lambda p, upstream: (
                p * upstream * (1 - p)
            ),
            "the sum is over the classes of each row, not over the whole batch": lambda p, upstream: (
                p * (upstream - (p * upstream).sum())
            ),
            "the sum is over the classes of each row, axis 1, not over the rows": lambda p, upstream: (
                p * (upstream - (p * upstream).sum(axis=0))
            ),
            "the term i = j is counted twice: p (1 - p) upstream has it, and so has the sum": lambda p, upstream: (
                p * upstream * (1 - p) - p * (p * upstream).sum(axis=1, keepdims=True)
            ),
            "the sum has to be weighted by p: Σⱼ pⱼ upstreamⱼ": lambda p, upstream: (
                p * (upstream - upstream.sum(axis=1, keepdims=True))
            ),
            "the factor pᵢ in front is missing": lambda p, upstream: (
                upstream - (p * upstream).sum(axis=1, keepdims=True)
            ),
        },
        hints=(
            "∂L/∂lⱼ = Σᵢ upstreamᵢ ∂pᵢ/∂lⱼ. Put in the derivative, and take the term i = j apart.",
            "As a matrix, it is diag(p) - p pᵀ. Multiply both parts by upstream: p upstream, and p (pᵀ upstream).",
        ),
    ),
    Exercise(
        answer=sweep_order,
        cases=lambda rng: [(DIAMOND, 3), (ASIDE, 6), (ASIDE, 4), (DOUBLING, 2), ([(), (), (0, 1), (1, 0), (3, 2)], 1)],
        mistakes={
            "this is the order in which they were made; a sweep goes the other way": lambda parents, output: (
                sweep_order(parents, output)[::-1]
            ),
            "nodes that the output was not computed from are visited, too": lambda parents, output: np.arange(
                output, -1, -1
            ),
            "a node is visited before all that use it have been: its gradient is not complete": depth_first,
            "depth first, a node comes up before all that use it have been visited: sort by number": recursive,
            "breadth first, a node comes up before all that use it have been visited: sort by number": breadth_first,
            "a node that is reached on two paths is visited once, not twice": with_repeats,
        },
        hints=(
            "First find the nodes: begin with the output, and add parents, and theirs, until there are no new ones.",
            "Then the numbers are the order: every node has a larger number than those that it was computed from.",
        ),
    ),
    Exercise(
        answer=count_paths,
        cases=lambda rng: [
            (DIAMOND, 0, 3),
            (DOUBLING, 0, 3),
            (ASIDE, 0, 6),
            (ASIDE, 1, 5),
            (ASIDE, 2, 5),
            (DOUBLING, 1, 1),
        ],
        mistakes={
            "x + x has two paths to x: a parent that stands there twice counts twice": single_paths,
            "these are the nodes on the way; count the ways themselves": nodes_between,
            "this only says whether there is a path": lambda parents, start, end: min(
                1, count_paths(parents, start, end)
            ),
            "where ways meet, their numbers add up; here the last one takes the place of the others": overwritten,
            "begin at `end`, which need not be the last node": lambda parents, start, end: count_paths(
                parents, start, len(parents) - 1
            ),
            "one path leads from `end` to itself: begin with 1 there, not with 0": lambda parents, start, end: 0,
        },
        hints=(
            "It is a sweep in which every slope is 1.",
            "One path leads from the end to itself. Each node hands its number on to its parents, where they add up.",
        ),
    ),
]

"""Exercises of lesson 7: why it does not."""

import numpy as np

from minigen.exercises.exercise import Exercise


def least_loss(classes: int) -> float:
    """The least cross-entropy, in nats, that a network can reach which gives probabilities where logits belong.

    At best it gives 1 to the right one of the classes and 0 to the others; cross-entropy applies softmax to that.
    """
    return float(np.log(np.e + classes - 1) - 1)


def dead_share(z: np.ndarray) -> float:
    """The share, 0 to 1, of a layer's units whose ReLU gives 0 for every item of the batch.

    z: what goes into the ReLU, (N, units).
    """
    return float((z.max(axis=0) <= 0).mean())


def without_zero_grad(w: np.ndarray, gradients: np.ndarray, lr: float) -> np.ndarray:
    """The weights after T steps of SGD in which gradients add up, as zero_grad() is never called.

    w: (D,), the weights before; gradients: (T, D), of each step's own loss. Step t goes along Σₛ gₛ, s = 0 … t.
    The weights that are given are left as they are.
    """
    return w - lr * np.cumsum(gradients, axis=0).sum(axis=0)


EXERCISES = [
    Exercise(
        answer=least_loss,
        cases=lambda rng: [(2,), (3,), (10,), (1000,), (1,)],
        mistakes={
            "a loss of 0 needs logits that are far apart; these are 1 and 0 at most": lambda classes: 0.0,
            "this is what guessing costs; at best the right one gets 1, the others 0": lambda classes: float(
                np.log(classes)
            ),
            "this takes the right class out of the sum; softmax sums over all of them": lambda classes: float(
                np.log(max(classes - 1, 1)) - 1
            ),
            "the sum holds e once, and 1 for each of the others: K - 1 ones, not K": lambda classes: float(
                np.log(np.e + classes) - 1
            ),
            "this is the probability of the right class; the loss is its negative logarithm": lambda classes: (
                np.e / (np.e + classes - 1)
            ),
            "the logarithm of a probability is negative, and the loss is -log p": lambda classes: float(
                1 - np.log(np.e + classes - 1)
            ),
            "-log p = log Σ - 1: the 1 of the right class is not taken off": lambda classes: float(
                np.log(np.e + classes - 1)
            ),
        },
        hints=(
            "What is the softmax of (1, 0, …, 0) at its first place?",
            "It is e / (e + K - 1), and the loss is the negative logarithm of that.",
        ),
    ),
    Exercise(
        answer=dead_share,
        cases=lambda rng: [
            (rng.standard_normal((5, 7)) - 1.0,),
            (rng.standard_normal((2, 9)) - 0.3,),
            (np.array([[0.0, -1.0, 1.0, -2.0], [0.0, -3.0, -1.0, 0.0]]),),
            (-np.ones((3, 2)),),
            (np.ones((1, 3)),),
        ],
        mistakes={
            "this counts all zeros; a unit is dead only if it is 0 for every item": lambda z: float((z <= 0).mean()),
            "this counts units that are 0 for some item; a dead one is 0 for every item": lambda z: float(
                (z.min(axis=0) <= 0).mean()
            ),
            "this is the share of those that live": lambda z: float((z.max(axis=0) > 0).mean()),
            "a mean below 0 is not enough: one item above 0 keeps a unit alive": lambda z: float(
                (z.mean(axis=0) <= 0).mean()
            ),
            "units lie along axis 1, so it is axis 0, of items, that is looked through": lambda z: float(
                (z.max(axis=1) <= 0).mean()
            ),
            "a unit that is exactly 0 gives 0, too: compare with <=": lambda z: float((z.max(axis=0) < 0).mean()),
            "this is how many, not which share of them": lambda z: float((z.max(axis=0) <= 0).sum()),
        },
        hints=(
            "A unit is dead for the batch when the largest of its column is not above 0.",
            "The mean of an array of truths is the share of those that are true.",
        ),
    ),
    Exercise(
        answer=without_zero_grad,
        cases=lambda rng: [
            (rng.standard_normal(3), rng.standard_normal((4, 3)), 0.1),
            (rng.standard_normal(1), rng.standard_normal((1, 1)), 1.0),
            (rng.standard_normal(2), rng.standard_normal((7, 2)), 0.01),
            (rng.standard_normal(2), np.zeros((0, 2)), 0.5),
        ],
        mistakes={
            "this is SGD as it should be; here old gradients come again in each step": lambda w, g, lr: (
                w - lr * g.sum(axis=0)
            ),
            "step t holds its own gradient as well as those before it": lambda w, g, lr: (
                w - lr * (np.cumsum(g, axis=0) - g).sum(axis=0)
            ),
            "the sums are means: gradients are added up, and divided by nothing": lambda w, g, lr: (
                w - lr * (np.cumsum(g, axis=0) / np.arange(1, len(g) + 1)[:, None]).sum(axis=0)
            ),
            "each weight has sums of its own: np.cumsum(gradients, axis=0)": lambda w, g, lr: (
                w - lr * np.cumsum(g).sum()
            ),
            "a step goes against the gradient": lambda w, g, lr: w + lr * np.cumsum(g, axis=0).sum(axis=0),
        },
        hints=(
            "Write it as a loop first: grad += g, then w = w - lr * grad.",
            "np.cumsum(gradients, axis=0) has the sum so far in each row.",
        ),
    ),
]

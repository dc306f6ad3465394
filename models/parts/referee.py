"""Is a game of two players well? Figures of it at the end of each round, and words where they tell of a known ill.

A loss of a game says little: it is as low as the other player is weak. What tells more is looked at here, on samples of
the same noise each time: how different they are from each other, which classes are among them, whether D can tell them
from images, also from images that it was not trained on, how large the last gradients were, and whether samples are
copies of training images.
"""

import dataclasses
import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigen import data, layers, metrics
from minigen.files import write_atomic
from minigen.models.parts.images import Drawn, closeness
from minigen.models.parts.quality import GLANCE, distances
from minigen.models.parts.reader import CLASSES, look, reader_of
from minigen.training import Run
from minigen.training.progress import say

COPIES = 100  # of them that are held against every training image
SHARE = 0.01  # of the samples that a class has at least, to count as covered
COUNT = GLANCE  # samples, and images, that are looked at
PARTS = ("real", "fake", "held_out")  # training images, samples, and held-out images
FILE = "alarms.txt"  # in the run folder: what was said

Look = Mapping[str, float]


class Referee:
    """Looks at the players of a run; `look` gives the figures, and says what is wrong, each ill once in a run.

    players: G and D by their names. draw(n) → n samples, of the same noise each time. judge(part, images, classes) →
    D's outputs (N, …), images in [0, 1], part one of PARTS; classes are None where the data has none. border: the
    output between "image" and "sample"; None for a critic, which has none, and may win.
    """

    def __init__(
        self,
        run: Run,
        players: Mapping[str, layers.Module],
        draw: Callable[[int], Drawn],
        judge: Callable[[str, np.ndarray, np.ndarray | None], np.ndarray],
        images: data.ImageDataset,
        held_out: data.ImageDataset,
        border: float | None = 0.0,
    ) -> None:
        self.run, self.players, self.draw, self.judge, self.border = run, players, draw, judge, border
        self.images, self.held_out = (dataclasses.replace(part, range=(0, 1)) for part in (images, held_out))
        self.reader = reader_of(run.recipe["data"])
        self.digests = {name: digest(player) for name, player in players.items()}
        self.looks: list[Look] | None = None  # those before; read at the first look, when a run has been restored

    def look(self, step: int) -> dict[str, float]:
        """The figures after this step, as metrics.csv calls them."""
        (samples, asked), known, unknown = self.draw(COUNT), self.images[:COUNT], self.held_out[:COUNT]
        finite = bool(np.isfinite(samples).all())
        figures: dict[str, float] = {}
        if len(samples) > 1 and spread(known[0]) > 0:  # else there is nothing to be as different as
            figures["diversity"] = spread(samples) / spread(known[0])
        if self.reader is not None and finite:
            seen = look(self.reader, samples)
            balance = metrics.class_balance(seen.labels, CLASSES, SHARE)
            figures |= {"classes": float(balance.covered), "class_entropy": balance.entropy}
            figures |= distances(self.reader, seen)
        if finite:
            figures |= closeness(samples[:COPIES], unknown[0][:COPIES], self.images)
        figures |= self.accuracies(known, (samples, asked), unknown)
        figures |= {f"{name}_gradient": gradient_norm(player) for name, player in self.players.items()}
        self.say({"step": step, **figures})
        return figures

    def accuracies(self, *sets: Sequence[Any]) -> dict[str, float]:
        """The shares of training images, samples and held-out images that D takes for what they are."""
        a, b, c = (self.judge(part, x, y[0] if y else None) for part, (x, *y) in zip(PARTS, sets, strict=True))
        border = (a.mean() + b.mean()) / 2 if self.border is None else self.border
        shares = ((a > border).mean(), (b < border).mean(), (c > border).mean())
        return {f"{part}_accuracy": float(share) for part, share in zip(PARTS, shares, strict=True)}

    def say(self, figures: Look) -> None:
        """Print what is wrong and has not been said yet, and keep it in the run folder."""
        if self.looks is None:
            self.looks = earlier(self.run.history())
        self.looks.append(figures)
        found = ills(self.looks, critic=self.border is None) | self.unmoved(figures)
        file = self.run.path / FILE
        said = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        known = {line.partition(": ")[0].rpartition(", ")[2] for line in said}
        new = [f"step {figures['step']:,}, {ill}: {words}" for ill, words in found.items() if ill not in known]
        for line in new:
            say(f"{self.run.model}: {line}", sys.stderr)
        if new:
            write_atomic(file, "".join(f"{line}\n" for line in [*said, *new]).encode())

    def unmoved(self, figures: Look) -> dict[str, str]:
        """The players whose weights are those of the last look."""
        before, self.digests = self.digests, {name: digest(player) for name, player in self.players.items()}
        mends = {
            False: "look whether its optimizer has its weights, its learning rate, and requires_grad",
            True: "no gradient reaches it any more: a lower --lr usually helps, or less dropout",
        }
        return {
            f"{name} stands still": f"no weight of {name} has changed since the round began, so the other plays alone; "
            + mends[figures[f"{name}_gradient"] == 0]
            for name in self.players
            if before[name] == self.digests[name]
        }


def ills(looks: Sequence[Look], critic: bool = False) -> dict[str, str]:
    """What the figures of all rounds so far tell of the last one: words by the name of the ill."""
    last, found = looks[-1], {}
    late = last["step"] >= EARLY

    def stays(holds: Callable[[Look], bool]) -> bool:
        """Whether it holds for two rounds in a row."""
        return len(looks) > 1 and all(map(holds, looks[-2:]))

    diversity = last.get("diversity", 1.0)
    gradients = [value for key, value in last.items() if key.endswith("_gradient")]
    if not all(map(math.isfinite, last.values())) or max(gradients) > HUGE:
        found["diverged"] = (
            f"the gradients' norms are {' and '.join(f'{value:.3g}' for value in gradients)}; a lower --lr usually "
            "helps, and averaged weights (--ema 0.999) for the samples"
        )
    fallen = late or max(look.get("diversity", 1.0) for look in looks) > 2 * ALIKE
    if diversity < SAME or (fallen and stays(lambda look: look.get("diversity", 1.0) < ALIKE)):
        found["collapse"] = (
            f"samples differ from each other by {diversity:.2g} of what images do: whatever the noise, G draws "
            "nearly one image; a lower --lr, another loss, or wgan_gp usually helps"
        )
    elif late and "classes" in last and few_classes([look["classes"] for look in looks if "classes" in look]):
        found["collapse"] = (
            f"samples are of {last['classes']:.0f} classes only; larger batches, a lower --lr, or wgan_gp usually helps"
        )
    names = [f"{part}_accuracy" for part in PARTS]
    if late and not critic and stays(lambda look: min(look[name] for name in names) > SURE):
        found["D has won"] = (
            f"it tells samples from images {last['fake_accuracy']:.1%} of the time, so that G learns little; a lower "
            "learning rate of D, dropout, label smoothing or spectral normalisation usually helps"
        )
    if last.get("nearest", 1.0) < COPIED:
        found["G repeats training images"] = (
            f"samples lie {last['nearest']:.2g} times as far from the nearest training image as held-out images do; "
            "more images, shifts of them, or fewer epochs usually help"
        )
    return found


def few_classes(counts: Sequence[float]) -> bool:
    """Whether few classes are left of many, or have been all for long: at first G draws nothing that has a class."""
    fallen = max(counts) >= MANY and max(counts[-2:]) <= FEW
    return fallen or (len(counts) >= LONG and max(counts[-LONG:]) <= FEW)


EARLY = 1000  # steps before which samples look alike, and nothing like images, in the best of games
SAME = 1e-6  # diversity of what is one image but for rounding; narrow networks begin with more
ALIKE = 0.2  # diversity of a generator that has collapsed
FEW, MANY = 3, 7  # classes of ten
LONG = 6  # rounds after which G should draw more than FEW
SURE = 0.995  # accuracy of a discriminator that has won
COPIED = 0.3  # distance to the nearest training image, over that of held-out images
HUGE = 1e4  # norm of a gradient, of all weights of a player


def earlier(history: Mapping[str, Sequence]) -> list[Look]:
    """The figures of the rounds that a log has."""
    rows = [i for i, value in enumerate(history.get("real_accuracy", ())) if value is not None]
    return [{name: values[i] for name, values in history.items() if values[i] is not None} for i in rows]


def spread(images: np.ndarray) -> float:
    """The root of the mean squared distance of two images of N, up to a factor that depends on nothing."""
    return math.sqrt(float(images.var(axis=0, dtype=np.float64).sum()))


def gradient_norm(player: layers.Module) -> float:
    """The norm of the gradients of the last step, of all weights as one vector; 0 without any."""
    gradients = [p.grad.data for p in player.parameters() if p.grad is not None]
    return math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients))


def digest(player: layers.Module) -> str:
    """A fingerprint of a player's weights."""
    fingerprint = hashlib.sha256()
    for p in player.parameters():
        fingerprint.update(p.data.tobytes())
    return fingerprint.hexdigest()

"""The figure that decides which recipe is better, and which way it is."""

import re
from dataclasses import dataclass
from typing import Literal

from minigen.errors import ArgumentError
from minigen.training import RunFolder

Mode = Literal["min", "max"]

# By which figure of metrics.csv the recipes that come with minigen are judged, unless another one is asked for.
MAIN = {
    **dict.fromkeys(("vae", "vq_vae"), "test_negative_elbo"),
    **dict.fromkeys(("text_vae",), "validation_negative_elbo"),
    **dict.fromkeys(("autoencoder", "bert", "char_rnn", "glove", "gpt", "word2vec"), "validation_loss"),
    **dict.fromkeys(("classifier", "sequential_mnist"), "validation_accuracy"),
    **dict.fromkeys(("ddpm", "flow_matching"), "test_loss"),
    **dict.fromkeys(("gan", "dcgan", "cgan", "wgan", "wgan_gp", "pix2pix", "discogan"), "fid_500"),
    **dict.fromkeys(("moving_mnist", "restore"), "test_error"),
    "pixel_cnn": "test_nats",
    "real_nvp": "test_bits",
    "melody": "held_out_loss",
    "recommender": "validation_ndcg_100",
    "translate": "unseen_right",
    "text_gan": "overlap_4",
}

# What names of figures hold that are better when they are larger, and when they are smaller.
LARGER = {"accuracy", "precision", "recall", "f1", "density", "coverage", "score", "entropy", "classes", "diversity"}
LARGER |= {"asked", "learned", "ndcg", "psnr", "ssim", "read", "right", "overlap", "distinct", "recovered", "related"}
LARGER |= {"alone", "changed", "generated", "both", "units"}
SMALLER = {"loss", "elbo", "bound", "likelihood", "reconstruction", "kl", "nats", "bits", "perplexity", "error", "fid"}
SMALLER |= {"kid", "distance", "cycle", "straightness", "rank", "prior", "penalty"}


@dataclass(frozen=True)
class Goal:
    """A figure, by its name in metrics.csv or in the results of an evaluation, that is to be small ("min") or large."""

    figure: str
    mode: Mode

    def logged(self, run: RunFolder) -> list[float]:
        """The figure as it was logged, round after round; empty for one that is not."""
        return [value for value in run.history().get(self.figure, []) if value is not None]

    def measured(self, run: RunFolder) -> float:
        """What it is in the end: logged last, or in the results. Raises ArgumentError that names what there is."""
        logged = self.logged(run)
        value = logged[-1] if logged else run.results.get(self.figure)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        known = [name for name in run.history() if name != "step"]
        raise ArgumentError(
            f"--for {self.figure}: {run.model} measures no such figure; it logs {', '.join(known) or 'none'}; its "
            f"results are {', '.join(run.results) or 'none'}; begin again with one of these, in another folder by --out"
        )

    def better(self, a: float, b: float) -> bool:
        """Whether a is better than b."""
        return (a < b) if self.mode == "min" else (a > b)


def goal_of(model: str, figure: str | None, mode: Mode | None) -> Goal:
    """The goal that is asked for, or the model's own one. Raises ArgumentError when nothing says what it is."""
    figure = figure or MAIN.get(model)
    if figure is None:
        raise ArgumentError(f"search: no figure of {model} is known to decide; name one with --for, and its --mode")
    if mode is None and (mode := mode_of(figure)) is None:
        raise ArgumentError(f"--for {figure}: is it to be small or large? say --mode min, or --mode max")
    return Goal(figure, mode)


def mode_of(figure: str) -> Mode | None:
    """Which way a figure is better, by the words of its name; None where they do not say it."""
    words = set(re.split("[_ ]", figure))
    smaller, larger = bool(words & SMALLER), bool(words & LARGER)
    return None if smaller == larger else "min" if smaller else "max"

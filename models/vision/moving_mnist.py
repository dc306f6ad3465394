"""What comes next? A convolutional LSTM goes on with films of bouncing digits.

X. Shi, Z. Chen, H. Wang, D.-Y. Yeung, W. Wong, W. Woo (2015), Convolutional LSTM network: a machine learning approach
for precipitation nowcasting, https://arxiv.org/abs/1506.04214.

An LSTM whose state is a map, and whose products are convolutions, so that what happens at a place follows from what was
near it (equation 3, without the products of gates and state):

    i, f, o = σ(W_x * X_t + W_h * H_t-1 + b),        C_t = f ∘ C_t-1 + i ∘ tanh(W_xc * X_t + W_hc * H_t-1 + b_c)
    H_t = o ∘ tanh(C_t)

Each 4×4 pixels of a frame are the channels of one place (section 4.1). The network reads the known frames, each of
which it also has to guess from those before; then it reads what it has guessed itself, and so goes on without seeing
more. The loss is the cross-entropy of pixels, of all guesses.

Films are made on the spot (parts/bouncing.py), to train on by training digits, to measure on by test digits.
`prediction.gif` shows films and what was guessed beside each other; errors stand beside those of the last known frame,
shown again and again.

What to expect: after 3,000 steps, 16 minutes on two cores, the summed squared error of a frame is 67 for the first one
that is guessed and 131 for the tenth, 110 in the mean; that of the last known frame, again and again, 271. Where the
digits go is right, what they are is blurred away from the fourth guess on.
"""

from dataclasses import dataclass

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.bouncing import Bouncing
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive
from minigen.training import Run, RunFolder, Steps

PATCH = 4  # pixels, side by side and one above the other, that are channels of one place

State = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    digits: int = 2  # that move in a film
    side: int = 64  # pixels of a frame, each way
    known: int = 10  # frames that are given
    unknown: int = 10  # frames that are to be guessed
    hidden: int = 32  # channels of a layer's state
    layers: int = 2  # convolutional LSTMs, one above the other
    steps: int = 3000  # steps of training, over which the learning rate falls
    batch_size: int = 16  # films a step
    lr: float = 2e-3  # largest learning rate of Adam
    clip: float = 1.0  # largest norm of the gradients
    every: int = 250  # steps from one checkpoint, with a sheet and a look at test films, to the next
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to guess with
    seed: int = 0  # decides everything random: weights, films
    max_steps: int | None = None  # stop after so many steps, whatever steps says

    def __post_init__(self) -> None:
        require_positive(self, "digits", "side", "known", "unknown", "hidden", "layers", "steps", "batch_size", "lr")
        require_positive(self, "clip", "every", "max_steps")
        require_decay(self.ema)
        if self.side % PATCH or self.side < 28:
            raise ArgumentError(f"side is {self.side}; use a multiple of {PATCH} from 28, the side of a digit, on")


EXTENDABLE = ("max_steps",)  # and not steps: the learning rate falls over all of them from the first step


# ---------------------------------------------------------------- the network


class ConvLSTMCell(layers.Module):
    """One step: x (N, H, W, C) and the state (H, C), each (N, H, W, hidden) → the next state."""

    def __init__(self, channels: int, hidden: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.gates = layers.Conv2d(channels + hidden, 4 * hidden, 3, padding=1, rng=rng)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Equation 3; the forget gate leans towards keeping, by 1."""
        h, c = state
        i, f, o, g = self.gates(mg.concatenate([x, h], -1)).split(h.shape[-1], -1)
        c = mg.sigmoid(f + 1.0) * c + mg.sigmoid(i) * mg.tanh(g)
        return mg.sigmoid(o) * mg.tanh(c), c


class Forecaster(layers.Module):
    """Known frames of films (N, K, H, W, 1) → logits of the frames 1 … K + unknown - 1, each from those before it."""

    def __init__(self, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        wide, hidden = PATCH * PATCH, recipe.hidden
        self.cells = layers.ModuleList([ConvLSTMCell(hidden if i else wide, hidden, rng) for i in range(recipe.layers)])
        self.out = layers.Conv2d(hidden, wide, 1, rng=rng)

    def expect(self, share: float) -> None:
        """Begin with this probability of every pixel's being lit.

        Otherwise the states learn first to say how dark films are, are saturated by it, and follow nothing any more.
        """
        assert self.out.bias is not None
        self.out.bias.data[...] = np.log(share / (1 - share))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """A frame (N, H/4, W/4, 16) and the state of each layer → logits of the next frame, and the next state."""
        after = []
        for cell, old in zip(self.cells, state, strict=True):
            x, c = cell(x, old)
            after.append((x, c))
        return self.out(x), after

    def forward(self, films: Tensor, unknown: int) -> Tensor:
        """Logits (N, K + unknown - 1, H, W, 1)."""
        n, known, height, width, _ = films.shape
        size = (n, height // PATCH, width // PATCH, self.out.in_channels)
        state: State = [(mg.zeros(*size), mg.zeros(*size)) for _ in self.cells]
        said: list[Tensor] = []
        for t in range(known + unknown - 1):
            x = mg.pixel_unshuffle(films[:, t], PATCH) if t < known else mg.sigmoid(said[-1])
            logits, state = self.step(x, state)
            said.append(logits)
        return mg.stack([mg.pixel_shuffle(logits, PATCH) for logits in said], 1)


# ---------------------------------------------------------------- training


def films(recipe: Recipe, split: str, length: int) -> Bouncing:
    """Films of training or of test digits."""
    seed = recipe.seed if split == "train" else 2**31
    return Bouncing(data.mnist(split), length, recipe.known + recipe.unknown, recipe.side, seed, recipe.digits)


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the cross-entropy of all guesses by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    training, test = films(recipe, "train", recipe.steps * recipe.batch_size), films(recipe, "test", 64)
    model = Forecaster(recipe, rng)
    model.expect(float(training.batch(slice(recipe.batch_size))[0].mean()))
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    schedule = optim.CosineLR(optimizer, recipe.steps)
    loader = data.DataLoader(training, recipe.batch_size)

    @mg.record
    def step(x: np.ndarray) -> tuple[Tensor, float]:
        shown = mg.tensor(x)
        logits = model(shown[:, : recipe.known], recipe.unknown)
        loss = mg.binary_cross_entropy_with_logits(logits, shown[:, 1:])

        optimizer.zero_grad()
        loss.backward()
        norm = optim.clip_grad_norm(optimizer, recipe.clip)
        optimizer.step()
        return loss, norm

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader, "rng": rng}
    state |= {"ema": averaging(model, recipe.ema)}
    limits = {"steps": recipe.steps, "max_steps": recipe.max_steps, "round_length": recipe.every}
    with Steps(run, loader, state, **limits, held_out=test) as steps:
        for (x,) in steps:
            loss, norm = step(x)
            steps.log(every=20, loss=loss, gradient_norm=norm)
            with steps.averaged():
                if steps.check_due:
                    ours, again = errors(model, test, recipe)
                    steps.record(test_error=ours.mean(), test_error_of_last_frame=again.mean())
                if steps.sample_due:
                    x = test.batch(slice(3))[0]
                    plots.save_grid(steps.picture_path(), beside(x, guessed(model, x, recipe)), recipe.unknown)


def load(run: RunFolder) -> Forecaster:
    """The network of a run, as it was saved last."""
    model = Forecaster(run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Frames as the network reads them."""
    side = run.load_recipe(Recipe).side
    return data.image_preprocessing((side, side, 1))


# ---------------------------------------------------------------- guessing


def guessed(model: Forecaster, x: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The unknown frames of films x (N, K + unknown, H, W, 1) in [0, 1], from the known ones."""
    with evaluating(model):
        logits = model(mg.tensor(x[:, : recipe.known]), recipe.unknown)
        return mg.sigmoid(logits[:, recipe.known - 1 :]).numpy()


def beside(x: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Frames to be drawn in rows: what came, and below it what was guessed, of each film."""
    rows = np.stack([x[:, -found.shape[1] :], found], 1)
    return rows.reshape(-1, *x.shape[2:])


def evaluate(run: RunFolder, count: int = 500) -> dict[str, float]:
    """Squared error of the guessed frames, summed over pixels, beside that of the last known frame shown again.

    error_1 is of the first frame, error_last of the last one. Draws films beside their guesses, and errors by frame.
    """
    recipe, model = run.load_recipe(Recipe), load(run)
    test = films(recipe, "test", count)
    ours, again = errors(model, test, recipe)
    x = test.batch(slice(8))[0]
    found = np.concatenate([x[:, : recipe.known], guessed(model, x, recipe)], 1)
    frames = [np.concatenate([x[:, t], found[:, t]]) for t in range(x.shape[1])]
    plots.save_animation(run.path / "prediction.gif", frames, len(x), duration=200)
    series = {
        "guessed": (ours.mean(0), ours.std(0) / len(ours) ** 0.5),
        "last frame again": (again.mean(0), again.std(0) / len(again) ** 0.5),
    }
    title = "moving_mnist · squared error of a frame"
    numbers = range(1, recipe.unknown + 1)
    plots.save_spreads(run.path / "errors.png", numbers, series, title, "frame", "squared error", logarithmic=False)
    return {
        "error": float(ours.mean()),
        "error_spread": float(ours.mean(1).std() / len(ours) ** 0.5),
        "error_1": float(ours[:, 0].mean()),
        "error_last": float(ours[:, -1].mean()),
        "error_of_last_frame": float(again.mean()),
    }


def errors(model: Forecaster, test: Bouncing, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Squared error of each film's unknown frames (N, unknown), of guesses and of the last known frame again."""
    pairs = []
    for (x,) in data.DataLoader(test, 50):
        true = x[:, recipe.known :]
        for found in (guessed(model, x, recipe), x[:, recipe.known - 1, None]):
            pairs.append(np.square(true - found, dtype=np.float64).sum((2, 3, 4)))
    return np.concatenate(pairs[::2]), np.concatenate(pairs[1::2])

"""Mult-VAE: what a user may like, from what that user liked.

D. Liang, R. Krishnan, M. Hoffman, T. Jebara (2018), Variational autoencoders for collaborative filtering,
https://arxiv.org/abs/1802.05814.

A user is a row x of zeros and ones over all items. An encoder makes a Gaussian of it, whose sample z a decoder makes
probabilities of all items of, which share what there is to like (section 2.1):

    log p(x|z) = Σ_i x_i log π_i(z),        π = softmax(f(z))

so that items compete, as they do for a place in a list. The bound has its second term weighted by β, which rises from 0
to no more than 0.2 (section 2.2.2); the row is brought to length 1 and half of it is dropped at random first, so that
what is to be guessed is not what is given.

Users that were held out are judged by what a fifth of their items are found by the others: NDCG@100, recall@20 and @50
(section 4.2), beside the most popular items, beside items like those that are known (by the cosine of their columns),
and, where preferences were generated, beside the true probabilities, which nobody can beat but by luck.

Preferences are generated with known tastes, or read from a file (--ratings), MovieLens' as they are distributed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.errors import ArgumentError, CheckpointError, DataError
from minigen.models.parts import preferences
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, require_share, stopping
from minigen.models.parts.preferences import Preferences, Rows, figures, hidden, ranked, split
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    ratings: str = preferences.GENERATED  # generated, or a file of user,item[,rating], such as MovieLens' ratings.csv
    latent: int = 64  # numbers z that describe a user
    hidden: int = 256  # width of the hidden layers
    dropout: float = 0.5  # share of a user's items that the encoder does not see in training
    beta: float = 0.2  # largest weight of the KL term
    annealing_steps: int = 1000  # steps in which it rises
    epochs: int = 60  # passes over the users
    batch_size: int = 100  # users a step
    lr: float = 1e-3  # learning rate of Adam
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to rank with
    patience: int | None = 10  # stop when the users held out were ranked no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the users, z, dropout
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "latent", "hidden", "annealing_steps", "epochs", "batch_size", "lr", "patience")
        require_positive(self, "max_steps")
        require_decay(self.ema)
        require_share(self, "dropout")
        if not 0 <= self.beta < float("inf"):
            raise ArgumentError(f"beta is {self.beta}; use a number from 0 on")


# ---------------------------------------------------------------- the network


class MultVAE(layers.Module):
    """Rows (N, items) of zeros and ones → logits of all items, and mu and log sigma² of q(z|x)."""

    def __init__(self, items: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.dropout = layers.Dropout(recipe.dropout, rng=rng)
        self.encoder = layers.Sequential(layers.Linear(items, recipe.hidden, rng=rng), layers.Tanh())
        self.mu = layers.Linear(recipe.hidden, recipe.latent, rng=rng)
        self.logvar = layers.Linear(recipe.hidden, recipe.latent, rng=rng)
        self.decoder = layers.Sequential(
            layers.Linear(recipe.latent, recipe.hidden, rng=rng),
            layers.Tanh(),
            layers.Linear(recipe.hidden, items, rng=rng),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma², (N, latent)."""
        length = mg.sqrt(mg.maximum((x * x).sum(1, keepdims=True), 1.0))
        h = self.encoder(self.dropout(x / length))
        return self.mu(h), self.logvar(h)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, items), by mu."""
        return self.decoder(self.encode(x)[0])


class Names:
    """The names of the items, kept with the weights."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def state_dict(self) -> dict[str, Any]:
        """The names."""
        return {"names": "\n".join(self.names)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises CheckpointError unless they are the same."""
        if state != self.state_dict():
            raise CheckpointError("items: those of the checkpoint are others; put back the file of ratings")


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Maximise the bound by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    known = preferences.read(recipe.ratings)
    training, validation, _ = split(known)
    rows, held_out = Rows(known, training, recipe.ratings), Rows(known, validation, recipe.ratings)
    model = MultVAE(len(known.names), recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(rows, recipe.batch_size, shuffle=True, rng=rng)

    @mg.record
    def step(x: np.ndarray, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        liked = mg.tensor(x)
        mu, logvar = model.encode(liked)
        z = mu + mg.exp(0.5 * logvar) * mg.randn(*mu.shape, rng=rng)
        reconstruction = -(liked * mg.log_softmax(model.decoder(z))).sum(1).mean()
        kl = mg.gaussian_kl(mu, logvar, reduction="sum") / len(x)
        loss = reconstruction + beta * kl

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, reconstruction.detach(), kl.detach()

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "items": Names(known.names)}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps, "watch": "validation_error"}
    with Steps(run, loader, state, **limits, held_out=held_out) as steps:
        for (x,) in steps:
            weight = recipe.beta * min(steps.step / recipe.annealing_steps, 1.0)
            loss, reconstruction, kl = step(x, mg.tensor(np.float32(weight)))
            steps.log(every=20, loss=loss, reconstruction=reconstruction, kl=kl)
            if steps.check_due:
                with steps.averaged():
                    found = measure(model, held_out)
                steps.record(**{f"validation_{name}": value for name, value in found.items()})
                steps.record(validation_error=1 - found["ndcg_100"])


def load(run: RunFolder) -> MultVAE:
    """The network of a run, as it was saved last."""
    model = MultVAE(len(saved_names(run)), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def saved_names(run: RunFolder) -> list[str]:
    """The names of the items that a run was trained on."""
    return run.saved()["items"]["names"].split("\n")


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Names of items as the row that the network reads."""
    names = saved_names(run)
    places = {name: i for i, name in enumerate(names)}

    def row(liked: Any) -> np.ndarray:
        wanted = [liked] if isinstance(liked, str) else [str(name) for name in liked]
        unknown = [name for name in wanted if name not in places]
        if unknown or not wanted:
            raise DataError(
                f"recommender: {unknown or 'no item'} is not among the {len(names):,} items; name some of them"
            )
        x = np.zeros((1, len(names)), np.float32)
        x[0, [places[name] for name in wanted]] = 1
        return x

    return data.Preprocessing(f"names of items → a row (1, {len(names)}) of zeros and ones", row)


# ---------------------------------------------------------------- recommending


@dataclass(frozen=True)
class Request:
    """What can be asked of it."""

    prompt: str = ""  # names of items that are liked, with semicolons between; without any, those of an unknown user
    n: int = 10  # items to recommend


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """The items that are most probable for who likes those of the prompt, a line each. Raises DataError."""
    model, names = load(run).eval(), saved_names(run)
    liked = [name.strip() for name in request.prompt.split(";") if name.strip()]
    x = preprocessing(run)(liked) if liked else np.zeros((1, len(names)), np.float32)
    with mg.no_grad():
        scores = mg.softmax(model(mg.tensor(x))).numpy()
    for i in ranked(scores, x, request.n)[0]:
        yield f"{names[i]}  {scores[0, i]:.2%}\n"


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """NDCG@100, recall@20 and @50 on users held out, beside popularity, neighbours and, where known, the truth."""
    recipe, model = run.load_recipe(Recipe), load(run)
    known = preferences.read(recipe.ratings)
    training, _, test = split(known)
    x, wanted = hidden(Rows(known, test, "test").batch(slice(None))[0])
    results = measure(model, Rows(known, test, "test"))
    others: dict[str, np.ndarray] = {
        "popularity": np.broadcast_to(popularity(known, training), x.shape),
        "neighbours": x @ likeness(known, training),
    }
    if known.chances is not None:
        others["truth"] = known.chances[test]
    for name, scores in others.items():
        results |= {f"{figure}_{name}": value for figure, value in figures(scores, x, wanted).items()}
    return results


def measure(model: MultVAE, users: Rows) -> dict[str, float]:
    """The figures of users, of whom four fifths are known."""
    x, wanted = hidden(users.batch(slice(None))[0])
    with evaluating(model):
        scores = np.concatenate([model(mg.tensor(x[i : i + 500])).numpy() for i in range(0, len(x), 500)])
    return figures(scores, x, wanted)


def popularity(known: Preferences, users: np.ndarray) -> np.ndarray:
    """How many of the users like each item (items,)."""
    chosen = np.concatenate([known.items[known.starts[user] : known.starts[user + 1]] for user in users])
    return np.bincount(chosen, minlength=len(known.names)).astype(np.float32)


def likeness(known: Preferences, users: np.ndarray) -> np.ndarray:
    """The cosine of each two items' columns (items, items), 0 of an item and itself."""
    counts = np.zeros((len(known.names), len(known.names)), np.float32)
    for (x,) in data.DataLoader(Rows(known, users, "training"), 1000):
        counts += x.T @ x
    length = np.sqrt(np.maximum(np.diag(counts), 1))
    np.fill_diagonal(counts, 0)
    return counts / length / length[:, None]

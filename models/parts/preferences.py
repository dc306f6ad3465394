"""Who liked what: rows of users over items, from a file of ratings, or generated with tastes that are known."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigen as mg
from minigen.errors import DataError
from minigen.training.origin import data_digest

GENERATED = "generated"
LIKED = 4.0  # stars of five from which an item counts as liked
FEWEST = 5  # items of a user that is kept
USERS = ("user", "userid", "user_id", "uid")
ITEMS = ("item", "itemid", "item_id", "movieid", "movie_id", "movie", "iid")
RATINGS = ("rating", "ratings", "stars", "score")


class Preferences(NamedTuple):
    """Which items each user liked: those of user u are items[starts[u] : starts[u + 1]], positions in `names`.

    chances: of generated users, the true probability of each item (users, items); else None.
    """

    items: np.ndarray
    starts: np.ndarray
    names: list[str]
    chances: np.ndarray | None = None

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.starts) - 1


class Rows:
    """Some of the users as a data set: batches (N, items) of zeros and ones, float32, made when they are asked for."""

    def __init__(self, preferences: Preferences, users: np.ndarray, name: str) -> None:
        self.preferences, self.users, self.name = preferences, users, name

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.batch(np.array([index]))[0][0],)

    def batch(self, rows: np.ndarray | slice) -> tuple[np.ndarray]:
        """The rows of these users."""
        users, p = self.users[rows], self.preferences
        x = np.zeros((len(users), len(p.names)), np.float32)
        for i, user in enumerate(users):
            x[i, p.items[p.starts[user] : p.starts[user + 1]]] = 1
        return (x,)

    def digest(self) -> str:
        """What decides the rows."""
        return data_digest([self.preferences.items, self.preferences.starts, self.users])


def read(source: str) -> Preferences:
    """The preferences in a file, or generated ones. Raises DataError."""
    return generated() if source == GENERATED else from_file(Path(source))


# ---------------------------------------------------------------- generated


def generated(users: int = 5000, items: int = 1000, tastes: int = 12, seed: int = 0) -> Preferences:
    """Users of a few tastes each, and items that please some of them.

    p(item|user) = Σ_k θ_uk φ_ki: a user's shares of the tastes θ are Dirichlet(0.1), an item's popularity falls as one
    over its place, spread over the tastes by Dirichlet(0.1). A user likes 15 to 60 different items, drawn by p.
    """
    rng = mg.random.generator(seed)
    popularity = rng.permutation(1 / (10 + np.arange(items)))
    phi = rng.dirichlet(np.full(tastes, 0.1), items).T * popularity
    theta = rng.dirichlet(np.full(tastes, 0.1), users)
    chances = theta @ (phi / phi.sum(1, keepdims=True)) + 1e-12
    chances /= chances.sum(1, keepdims=True)
    counts = np.minimum(rng.integers(15, 61, users), items)
    order = np.argsort(-(np.log(chances) + rng.gumbel(size=chances.shape)), axis=1)  # draws without repetition
    liked = [np.sort(order[user, :count]) for user, count in enumerate(counts)]
    names = [f"item {i}" for i in range(items)]
    return Preferences(np.concatenate(liked), np.append(0, np.cumsum(counts)), names, chances)


# ---------------------------------------------------------------- files


def from_file(path: Path) -> Preferences:
    """Ratings in lines of user, item and perhaps stars, as MovieLens distributes them: .csv, tabs, or "::".

    Items of LIKED stars or more count, or all where no column has stars; users with fewer than FEWEST are left out.
    Raises DataError for a file that is none, or holds too little.
    """
    rows, columns = table(path)
    user, item, stars = columns
    liked: dict[str, dict[str, None]] = {}
    for number, row in rows:
        if len(row) <= max(index for index in columns if index is not None):
            raise DataError(f"{path}, line {number}: has {len(row)} columns, fewer than the others; mend or remove it")
        if stars is not None:
            try:
                value = float(row[stars])
            except ValueError:
                raise DataError(f"{path}, line {number}: {row[stars]!r} is no number of stars; mend it") from None
            if not value >= LIKED:
                continue
        liked.setdefault(row[user].strip(), {})[row[item].strip()] = None
    kept = [list(items) for items in liked.values() if len(items) >= FEWEST]
    if len(kept) < 10:
        raise DataError(
            f"{path}: {len(kept)} users like {FEWEST} items or more, which is too few to learn from and to test on; "
            "give it at least 10"
        )
    names = sorted({name for items in kept for name in items})
    places = {name: i for i, name in enumerate(names)}
    found = [np.sort([places[name] for name in items]) for items in kept]
    return Preferences(np.concatenate(found), np.append(0, np.cumsum([len(items) for items in found])), names)


def table(path: Path) -> tuple[list[tuple[int, list[str]]], tuple[int, int, int | None]]:
    """The lines with their numbers, and the columns of user, item and stars."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise DataError(f"{path}: can not be read as ratings ({reason}); give it lines of user,item,rating") from error
    first = text.partition("\n")[0]
    if "::" in first:
        rows = [line.split("::") for line in text.splitlines()]
    else:
        rows = list(csv.reader(io.StringIO(text), delimiter="\t" if "\t" in first else ";" if ";" in first else ","))
    lines = [(i + 1, row) for i, row in enumerate(rows) if row and any(row)]
    if not lines:
        raise DataError(f"{path}: is empty; give it lines of user,item,rating")
    heading = [cell.strip().lower() for cell in lines[0][1]]
    places = [
        next((heading.index(name) for name in names if name in heading), None) for names in (USERS, ITEMS, RATINGS)
    ]
    if any(place is not None for place in places):
        if places[0] is None or places[1] is None:
            missing = "user" if places[0] is None else "item"
            raise DataError(f"{path}: the heading {', '.join(heading)} has no column {missing}; name one so")
        return lines[1:], (places[0], places[1], places[2])
    if len(heading) < 2:
        raise DataError(f"{path}: its lines have one column; give it user,item or user,item,rating")
    return lines, (0, 1, 2 if len(heading) > 2 else None)


# ---------------------------------------------------------------- what is known of a user, and what is to be found


def split(preferences: Preferences, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users to train on, to validate on, and to test on: a tenth each of the last two, at least one."""
    order = mg.random.generator(seed).permutation(preferences.users)
    held = max(preferences.users // 10, 1)
    return np.sort(order[2 * held :]), np.sort(order[:held]), np.sort(order[held : 2 * held])


def hidden(x: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What is known of each row (N, items), and a fifth of its items, at least one, that are to be found."""
    rng = mg.random.generator(seed)
    lottery = np.where(x > 0, rng.random(x.shape), -1)
    place = (-lottery).argsort(1).argsort(1)  # 0 is the item that is drawn first
    count = np.maximum(x.sum(1, keepdims=True) // 5, 1)
    wanted = ((place < count) & (x > 0)).astype(np.float32)
    return x - wanted, wanted


def ranked(scores: np.ndarray, known: np.ndarray, k: int) -> np.ndarray:
    """The k items of highest score of each row (N, k), of those that are not known yet."""
    masked = np.where(known > 0, -np.inf, scores)
    return np.argsort(-masked, axis=1, kind="stable")[:, :k]


def recall(order: np.ndarray, wanted: np.ndarray, k: int) -> np.ndarray:
    """Share of the wanted items among the first k, of as many as can be there (N,). Liang et al. 2018, section 4.2."""
    hits = np.take_along_axis(wanted, order[:, :k], 1).sum(1)
    return hits / np.minimum(wanted.sum(1), k)


def ndcg(order: np.ndarray, wanted: np.ndarray, k: int) -> np.ndarray:
    """Σ_r hit_r / log₂(r + 1) over the first k places r, over the most that it could be (N,)."""
    k = min(k, order.shape[1])
    gains = 1 / np.log2(np.arange(2, k + 2))
    hits = np.take_along_axis(wanted, order[:, :k], 1)
    best = np.array([gains[: int(min(count, k))].sum() for count in wanted.sum(1)])
    return hits @ gains / best


def figures(scores: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """NDCG@100 and recall@20 and @50 of scores (N, items), averaged over the users."""
    order = ranked(scores, known, 100)
    found: Sequence[tuple[str, np.ndarray]] = (
        ("ndcg_100", ndcg(order, wanted, 100)),
        ("recall_20", recall(order, wanted, 20)),
        ("recall_50", recall(order, wanted, 50)),
    )
    return {name: float(values.mean()) for name, values in found}

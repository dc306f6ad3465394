"""The rooms of a page: ways to look into a trained model, each for the models that it fits.

A room is made of a run (`fits` says of which), tells what it can be asked (`about`), and answers (`ask`) from what
stands in a query; both give plain values for JSON. It only computes: nothing is written.
"""

from typing import Any, Protocol

from minigen.pages.asked import Query
from minigen.pages.rooms.latent import Latent
from minigen.pages.rooms.maps import Maps
from minigen.pages.rooms.symbols import Symbols
from minigen.pages.rooms.walk import Walk
from minigen.pages.rooms.words import WordMap
from minigen.training import RunFolder


class Room(Protocol):
    """What all of them have."""

    def __init__(self, run: RunFolder) -> None: ...

    @classmethod
    def fits(cls, run: RunFolder) -> bool:
        """Whether the room is for this run's model."""
        ...

    def about(self) -> dict[str, Any]:
        """What the page has to know before it asks."""
        ...

    def ask(self, query: Query) -> dict[str, Any]:
        """The answer to a question. Raises MinigenError for one that has none."""
        ...


ROOMS: dict[str, type[Room]] = {
    "latent": Latent,
    "walk": Walk,
    "symbols": Symbols,
    "words": WordMap,
    "maps": Maps,
}


def drawing_room(run: RunFolder) -> str | None:
    """The room that answers `sheet` with a sample of a run; None where none does."""
    if Latent.draws(run):
        return "latent"
    return "symbols" if Symbols.fits(run) else None

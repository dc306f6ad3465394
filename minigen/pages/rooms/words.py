"""Words as vectors: their map, and what is near to a word or to a sum of words."""

from typing import Any

import numpy as np

from minigen.catalog import load_model
from minigen.errors import ArgumentError
from minigen.models.parts.words import Words, terms_of
from minigen.pages.asked import Query, whole
from minigen.pages.rooms.pictures import check_finite
from minigen.plots.latent import principal_plane
from minigen.training import RunFolder

MAPPED = 1500  # words on the map, the most frequent ones
LONGEST = 200  # characters of a question


class WordMap:
    """The words of one run."""

    @classmethod
    def fits(cls, run: RunFolder) -> bool:
        """glove and word2vec."""
        return run.model in ("glove", "word2vec")

    def __init__(self, run: RunFolder) -> None:
        self.words: Words = load_model(run.model).vectors(run)
        check_finite(run, self.words.vectors)

    def about(self) -> dict[str, Any]:
        """The map: words and their places on the two directions in which they differ most."""
        vectors = self.words.vectors[:MAPPED]
        points, names = principal_plane(vectors - vectors.mean(0))
        return {"words": self.words.words[:MAPPED], "points": np.round(points, 4).tolist(), "axes": names}

    def ask(self, query: Query) -> dict[str, Any]:
        """The n words nearest to a word, or to a sum such as king - man + woman, and their cosines."""
        question = query.get("prompt", "").strip()
        if not question or len(question) > LONGEST:
            raise ArgumentError(f"prompt: give a word, or a sum such as king - man + woman, of {LONGEST} characters")
        terms = terms_of(question)
        near = self.words.solve(terms, whole(query, "n", 12, 1, 100))
        return {"terms": terms, "near": [[word, round(cosine, 4)] for word, cosine in near]}

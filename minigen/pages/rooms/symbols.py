"""What a model of text expects next, how surprised it was by what it read, where it looked, and what its cells held."""

from functools import cached_property
from typing import Any

import numpy as np

import minigen as mg
from minigen.autograd.observe import observe
from minigen.catalog import load_model
from minigen.errors import ArgumentError, DataError
from minigen.models.parts.modes import evaluating
from minigen.models.parts.text import Choice, saved_tokenizer, start, stream
from minigen.pages.asked import Query, number, while_wanted, whole
from minigen.pages.rooms.pictures import loaded
from minigen.see.looks import Looks
from minigen.training import RunFolder

LONGEST = 400  # symbols that are read
SHOWN = 64  # symbols whose attention is shown, the last ones
LIKELIEST = 20
EXAMPLE = "To be, or not to be"
WRITTEN = 400  # symbols that are written at once


class Symbols:
    """A gpt or char_rnn of one run."""

    @classmethod
    def fits(cls, run: RunFolder) -> bool:
        """gpt and char_rnn."""
        return run.model in ("gpt", "char_rnn")

    def __init__(self, run: RunFolder) -> None:
        self.run, self.module = run, load_model(run.model)
        self.model = loaded(run)
        self.tokenizer = saved_tokenizer(run)

    def about(self) -> dict[str, Any]:
        """Whether it has heads or cells, how many, and how much it can read."""
        found: dict[str, Any] = {"example": self.example()}
        if self.run.model == "gpt":
            numbers = {name: int(self.run.recipe[name]) for name in ("layers", "heads", "context")}
            return found | numbers | {"longest": numbers["context"]}
        return found | {"cells": int(self.run.recipe["hidden"]), "longest": LONGEST}

    def example(self) -> str:
        """A prompt of the run's own alphabet."""
        try:
            self.tokenizer.encode(EXAMPLE)
            return EXAMPLE
        except DataError:
            return self.tokenizer.decode(np.arange(min(self.tokenizer.size, 8)))

    def ask(self, query: Query) -> dict[str, Any]:
        """What comes after a prompt; with `write`, so many symbols drawn after it, by seed and temperature.

        With `sheet`, a sample, for the overview of a run that has none.
        """
        if "sheet" in query:
            return {"text": self.sheet}
        prompt = query.get("prompt", "")
        if len(prompt) > 10 * LONGEST:
            raise ArgumentError(f"prompt: {len(prompt):,} characters are too many; use {10 * LONGEST:,} at most")
        if "write" in query:
            return {"text": self.write(prompt, query)}
        ids = self.tokenizer.encode(prompt) if prompt else start(self.tokenizer)
        ids = ids[-self.about()["longest"] :]
        return self.read(ids, whole(query, "cell", -1, -1, 10**6))

    def read(self, ids: np.ndarray, cell: int) -> dict[str, Any]:
        """The likeliest next symbols, the surprise of each one read, and heads or one cell over the text."""
        looks, states = Looks(), None
        with evaluating(self.model), observe(looks):
            if self.run.model == "gpt":
                logits = self.model(ids[None])
            else:
                model = self.model
                states, _ = model.recurrent(ids[None], None, embedding=model.embedding.weight)
                logits = model.out(states)
        logs = mg.log_softmax(logits).numpy()[0].astype(np.float64)
        best = np.argsort(-logs[-1], kind="stable")[:LIKELIEST]
        surprise = [None, *(-logs[np.arange(len(ids) - 1), ids[1:]]).round(3).tolist()]
        found: dict[str, Any] = {
            "symbols": [self.symbol(i) for i in ids],
            "next": [[self.symbol(i), float(np.exp(logs[-1, i]))] for i in best],
            "surprise": surprise,
            "entropy": float(-(np.exp(logs[-1]) * logs[-1]).sum()),
        }
        if states is not None:
            found |= self.cells(states.numpy()[0], cell)
        if looks.weights:
            found["attention"] = [np.round(weights[0, :, -SHOWN:, -SHOWN:], 3).tolist() for weights in looks.weights]
        return found

    def cells(self, states: np.ndarray, cell: int) -> dict[str, Any]:
        """One cell's value over the text, of states (T, hidden), and which cells change most."""
        varied = np.argsort(-states.std(0), kind="stable")
        cell = int(varied[0]) if cell < 0 else min(cell, states.shape[1] - 1)
        return {"cell": cell, "values": states[:, cell].round(3).tolist(), "varied": varied[:24].tolist()}

    def symbol(self, i: int) -> str:
        """One symbol as text; a byte that is none alone is shown as its number."""
        text = self.tokenizer.decode(np.array([i]))
        return f"<{i}>" if "�" in text else text

    @cached_property
    def sheet(self) -> str:
        """What is drawn from nothing."""
        return self.write("", {"write": str(WRITTEN), "temperature": "0.8"})

    def write(self, prompt: str, query: Query) -> str:
        """What is drawn after the prompt."""
        n, choice = whole(query, "write", 100, 1, WRITTEN), Choice(number(query, "temperature", 1.0, 0, 10))
        rng = mg.random.generator(whole(query, "seed", 0, 0, 2**31))
        with evaluating(self.model):
            if self.run.model == "gpt":
                pieces = stream(self.module.Reader(self.model), self.tokenizer, prompt, n, choice, rng)
            else:
                pieces = self.module.continuation(self.model, self.tokenizer, prompt, n, choice, rng)
            return "".join(while_wanted(pieces))[len(prompt) :]

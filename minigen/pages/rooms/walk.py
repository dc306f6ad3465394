"""Diffusion and flows step by step: what the noise is after each step, and what the network takes it for."""

from typing import Any

import numpy as np

import minigen as mg
from minigen.catalog import load_model
from minigen.models.parts.images import class_names
from minigen.models.parts.modes import evaluating
from minigen.pages.asked import Query, number, one_of, while_wanted, whole
from minigen.pages.rooms.pictures import loaded, strip
from minigen.training import RunFolder

MOST = 16  # images at once
STEPS = 100

SAMPLERS = {"ddpm": ("ddim", "ancestral"), "flow_matching": ("euler", "midpoint")}


class Walk:
    """The walks of one run."""

    @classmethod
    def fits(cls, run: RunFolder) -> bool:
        """ddpm and flow_matching."""
        return run.model in SAMPLERS

    def __init__(self, run: RunFolder) -> None:
        self.run, self.module = run, load_model(run.model)
        self.model = loaded(run)
        self.classes = class_names(run, int(self.model.classes)) if int(self.model.classes) else []

    def about(self) -> dict[str, Any]:
        """How one can walk."""
        return {"classes": self.classes, "samplers": SAMPLERS[self.run.model], "most": MOST, "steps": STEPS}

    def ask(self, query: Query) -> dict[str, Any]:
        """A picture of n images for each step from noise on; by seed, class (-1: all in turn), guidance and sampler."""
        n, steps = whole(query, "n", 5, 1, MOST), whole(query, "steps", 25, 1, STEPS)
        sampler = one_of(query, "sampler", SAMPLERS[self.run.model])
        guidance = number(query, "guidance", 1.0, -10, 20) if self.classes else 1.0
        wanted = self.module.Asked(steps=steps, guidance=guidance, sampler=sampler)
        y = None
        if self.classes:
            label = whole(query, "class", -1, -1, len(self.classes) - 1)
            y = np.arange(n) % len(self.classes) if label < 0 else np.full(n, label)
        walk = self.module.walk if self.run.model == "flow_matching" else self.noise().walk
        rng = mg.random.generator(whole(query, "seed", 0, 0, 2**31))
        with evaluating(self.model):
            x = mg.randn(n, *self.model.image, rng=rng)
            frames = [x.numpy(), *(step.numpy() for step in while_wanted(walk(self.model, x, y, wanted, rng)))]
        return {"frames": [strip(frame, range=(-1, 1)) for frame in frames]}

    def noise(self) -> Any:
        """How noise is added, in ddpm."""
        return self.module.Noise(self.run.load_recipe(self.module.Recipe))

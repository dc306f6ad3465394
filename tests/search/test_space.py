"""Ranges: as they are written, and as the recipes' types give them; and the figures that decide."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigen import flags
from minigen.catalog import load_model, model_names
from minigen.flags import command
from minigen.search.goal import MAIN, goal_of, mode_of
from minigen.search.space import Choices, Range, defaults, parsed, refusal, space_of

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def test_ranges_are_read_as_the_fields_types_say():
    kind = load_model("vae").Recipe
    assert parsed(kind, "lr=1e-4:1e-2:log") == ("lr", Range(1e-4, 1e-2, log=True))
    assert parsed(kind, "depth=1:4") == ("depth", Range(1, 4, whole=True))
    assert parsed(kind, "batch-size=8,16") == ("batch_size", Choices((8, 16)))
    assert parsed(kind, "-k=1,5") == ("k", Choices((1, 5)))
    assert parsed(kind, "ema=none,0.99") == ("ema", Choices((None, 0.99)))
    assert parsed(kind, "conditional=no,yes") == ("conditional", Choices((False, True)))
    assert parsed(kind, "schedule=cosine,plateau") == ("schedule", Choices(("cosine", "plateau")))


@pytest.mark.parametrize("text", ["1e-04:0.01:log", "8,16,none", "1:4", "no,yes"])
def test_a_range_is_written_as_it_is_read(text: str):
    field = {"1e-04:0.01:log": "lr", "8,16,none": "size", "1:4": "depth", "no,yes": "conditional"}[text]
    kind = load_model("vae").Recipe
    one = parsed(kind, f"{field}={text}")[1]
    assert parsed(kind, f"{field}={one}")[1] == one


def test_values_are_drawn_from_the_whole_range_and_have_three_digits():
    rng = np.random.default_rng(0)
    drawn = [Range(1e-4, 1.0, log=True).draw(rng) for _ in range(400)]
    assert all(1e-4 <= value <= 1 and value == float(f"{value:.3g}") for value in drawn)
    assert 0.4 < np.mean(np.array(drawn) < 1e-2) < 0.6
    assert {Range(2, 4, whole=True).draw(rng) for _ in range(60)} == {2, 3, 4}
    assert Range(0.12345, 0.12349).rounded(0.12347) == 0.12345  # never outside


def test_defaults_are_around_the_recipes_own_and_leave_the_task_alone():
    found = defaults(load_model("walk").Recipe())
    assert found == {
        "lr": Range(0.001, 0.1, log=True),
        "width": Choices((3, 6, 12)),
        "kind": Choices(("plain", "fancy")),
        "tie": Choices((False, True)),
        "momentum": Range(0.45, 0.95, log=True),  # twice 0.9 is refused
    }


def test_what_is_fixed_is_not_searched():
    base = load_model("walk").Recipe(lr=0.5)
    assert "lr" not in space_of(base, ["lr"], []) and "width" in space_of(base, ["lr"], [])


@pytest.mark.parametrize("model", [name for name in model_names() if name not in ("toy", "mute", "talker", "picky")])
def test_every_recipe_can_be_searched(model: str):
    base = load_model(model).Recipe()
    space, rng = defaults(base), np.random.default_rng(0)
    assert "lr" in space and not {"seed", "epochs", "steps", "max_steps", "data", "text"} & set(space)
    draws = [{name: one.draw(rng) for name, one in space.items()} for _ in range(20)]
    assert any(refusal(base, values) is None for values in draws)
    assert all(refusal(base, {name: getattr(base, name)}) is None for name in space)


def test_the_models_own_figures_are_what_they_log_and_say_which_way_is_better():
    for model, figure in MAIN.items():
        load_model(model)
        assert goal_of(model, None, None).mode == ("max" if figure in LARGE else "min"), model
    kept = [path for path in RESULTS.iterdir() if json.loads((path / "recipe.json").read_text())["model"] in MAIN]
    for folder in kept:
        model = json.loads((folder / "recipe.json").read_text())["model"]
        columns = (folder / "metrics.csv").read_text().split("\n")[0].split(",")
        assert MAIN[model] in columns or MAIN[model] == "fid_500", model  # which older runs of games lack
    assert len(kept) > 20


LARGE = {"validation_accuracy", "validation_ndcg_100", "unseen_right", "overlap_4"}


def test_names_say_which_way_is_better():
    assert [mode_of(name) for name in ("accuracy", "test_negative_elbo", "fid_500", "kid")] == [
        "max",
        "min",
        "min",
        "min",
    ]
    assert [mode_of(name) for name in ("length", "related_rank")] == [None, None]


def test_a_command_names_what_is_not_as_by_default():
    recipe = load_model("vae").Recipe(lr=0.00234, k=3, conditional=True, data="my images", schedule="cosine")
    assert (
        command("vae", recipe)
        == "minigen train vae --data 'my images' --conditional -k 3 --lr 0.00234 --schedule cosine"
    )
    assert command("gpt", load_model("gpt").Recipe(tie=False)) == "minigen train gpt --no-tie"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("ddpm", {"ema": None, "width": 16}),
        ("vae", {"conditional": True, "data": "my images", "k": 3, "lr": 0.00234, "patience": 3}),
        ("gpt", {"tie": False, "max_steps": 9}),
    ],
)
def test_a_command_trains_the_recipe_that_it_was_made_of(model: str, fields: dict[str, Any]):
    kind = load_model(model).Recipe
    parser = flags.Parser(prog="minigen train")
    flags.add_fields(parser, kind, "recipe")
    words = shlex.split(command(model, kind(**fields)))
    assert words[:3] == ["minigen", "train", model]
    assert kind(**flags.given_fields(parser.parse(words[3:]), kind)) == kind(**fields)

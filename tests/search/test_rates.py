"""A training under a rising rate: every step has the rate that it is said to have, and the fall is found."""

from pathlib import Path

import numpy as np
import pytest

from minigen import cli, plots
from minigen.catalog import load_model
from minigen.search import swept
from minigen.search.rates import Sweep, smoothed


def slope(**fields: float | str) -> Sweep:
    module = load_model("slope")
    return swept(module, "slope", module.Recipe(**fields))


def test_each_step_is_the_recipes_own_with_its_rate():
    found = slope()
    x, expected = 0.0, []
    for rate in found.rates:  # of SGD on 2 (x - 3)²
        expected.append(2 * (x - 3) ** 2)
        x -= rate * 2 * (x - 3)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-6, 1, 99)[: len(found.rates)])
    assert len(found.rates) > 90 and found.losses[-1] < 1e-6


def test_the_fall_is_found_where_it_is():
    rates = np.geomspace(1e-5, 1, 60)
    depth = np.log(rates / 1e-2)
    smooth = 3 - 1 / (1 + np.exp(-2 * depth)) + np.where(rates > 0.2, 10 * (rates - 0.2), 0)
    found = Sweep(rates, smooth, smooth)
    assert 0.8e-2 < found.suggested < 1.25e-2 and 0.1 < found.lowest < 0.25


def test_smoothed_is_the_mean_of_what_came_the_latest_counting_most():
    np.testing.assert_allclose(smoothed(np.full(5, 7.0)), 7.0)
    found = smoothed(np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(found, [1, (0.9 * 1 + 2) / 1.9, (0.81 * 1 + 0.9 * 2 + 4) / 2.71])


def test_it_ends_where_the_loss_is_lost():
    module = load_model("slope")
    found = swept(module, "slope", module.Recipe(), 1e-3, 30.0, steps=30)
    assert found.rates[-1] < 30 and found.smooth[-1] > 3 * found.smooth.min()
    assert found.suggested < found.lowest


def test_the_command_draws_and_suggests_and_leaves_nothing_else(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    drawn: list[dict[str, float]] = []

    def save_rates(path: Path, rates: list[float], losses: object, smooth: object, marks: dict, title: str) -> None:
        drawn.append(marks)
        path.write_bytes(b"a picture")

    monkeypatch.setattr(plots, "save_rates", save_rates)
    assert cli.main(["lr", "slope", "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    rate = drawn[0]["falls most"]
    assert 0.01 < rate < 0.5 and drawn[0]["the recipe's"] == 0.1
    assert f"\nminigen train slope --epochs 2 --lr {rate:g}\n" in out
    assert [path.name for path in workplace.iterdir()] == ["lr-slope.png"]
    assert cli.main(f"train slope --epochs 2 --lr {rate:g} --no-eval --out again".split()) == 0


WRONG: list[tuple[str, str]] = [
    ("lr", "needs the name of a model"),
    ("lr slop", "did you mean slope?"),
    ("lr slope --lr 0.1", "leave out --lr"),
    ("lr slope --low 0", "rates from 0 to 1; use two numbers above 0"),
    ("lr slope --low 2", "rates from 2 to 1; use two numbers above 0"),
    ("lr slope --high nan", "use two numbers above 0"),
    ("lr slope --max-steps 5", "5 steps; use 30 to 99"),
    ("lr slope --max-steps 100", "100 steps; use 30 to 99"),
    ("lr slope --players 2", "trains 2 networks against each other"),
    ("lr slope --players 0", "hands no optimizer to its checkpoint"),
    ("lr slope --named d_loss", "logs no loss, but d_loss"),
    ("lr slope --way 0", "falls at no rate"),
    ("lr slope --low 20 --high 30", "falls at no rate from 20 to 30"),
    ("lr slope -o rates.jpg", "let the name end in .png"),
    ("lr slope -o nowhere/rates.png", "there is no folder nowhere"),
    ("lr slope --loud", "unknown flag --loud"),
]


def test_wrong_input_gets_one_clear_error(workplace: Path, capsys: pytest.CaptureFixture):
    for line, fragment in WRONG:
        capsys.readouterr()
        assert cli.main(line.split()) == 2, line
        error = capsys.readouterr().err
        assert error.startswith("minigen: error: ") and error.count("\n") == 1 and fragment in error, (line, error)
        assert not [*workplace.iterdir()], line

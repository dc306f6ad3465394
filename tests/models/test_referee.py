"""Is a game well? Every ill, planted, is recognised; and what only looks like one is not."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data, layers, optim
from minigen.cli.train import train_and_evaluate
from minigen.errors import GradientError
from minigen.models.adversarial import gan, wgan_gp
from minigen.models.parts import game, referee
from minigen.models.parts.images import Drawn
from minigen.training import Run

WELL = {
    "step": 5000,
    "diversity": 0.9,
    "classes": 10.0,
    "class_entropy": 0.99,
    "nearest": 1.2,
    "real_accuracy": 0.8,
    "fake_accuracy": 0.7,
    "held_out_accuracy": 0.8,
    "g_gradient": 2.0,
    "d_gradient": 5.0,
}


def looks(*changes: Mapping[str, float]) -> list[dict[str, float]]:
    return [{**WELL, **change} for change in changes]


SURE = {"real_accuracy": 1.0, "fake_accuracy": 1.0, "held_out_accuracy": 1.0}


@pytest.mark.parametrize(
    ("rounds", "ill"),
    [
        (looks({"diversity": 0.0}), "collapse"),
        (looks({}, {"diversity": 0.1}, {"diversity": 0.1}), "collapse"),
        (looks({}, {"classes": 2}, {"classes": 3}), "collapse"),
        (looks(*[{"classes": 1}] * 6), "collapse"),
        (looks(SURE, SURE), "D has won"),
        (looks({"nearest": 0.1}), "G repeats training images"),
        (looks({"g_gradient": float("nan")}), "diverged"),
        (looks({"d_gradient": 1e6}), "diverged"),
    ],
)
def test_each_ill_by_its_figures(rounds: list[dict[str, float]], ill: str):
    assert list(referee.ills(rounds)) == [ill]


@pytest.mark.parametrize(
    "rounds",
    [
        looks({}),
        looks({"diversity": 0.1}),  # once is nothing
        looks(*[{"step": 100 * i, "diversity": 0.05, "classes": 1, **SURE} for i in range(1, 5)]),  # at first
        looks({"classes": 1}, {"classes": 3}, {"classes": 6}),
        looks(SURE, {}),
    ],
)
def test_what_only_looks_like_one(rounds: list[dict[str, float]]):
    assert not referee.ills(rounds)


def test_a_critic_may_win():
    assert not referee.ills(looks(SURE, SURE), critic=True)


def referee_of(
    tmp_path: Path, draw: Callable[[int], np.ndarray], judge: Callable[[np.ndarray], np.ndarray] = lambda x: x[:, 0, 0]
) -> tuple[referee.Referee, layers.Module]:
    player = layers.Linear(2, 2, rng=mg.random.generator(0))
    images, held_out = data.mnist("train"), data.mnist("test")
    few = data.ImageDataset(images.images[:2000], np.asarray(images.labels)[:2000], images.classes, "mnist train")
    run = Run.create(tmp_path / "run", "gan", gan.Recipe())
    return referee.Referee(
        run, {"g": player}, lambda n: Drawn(draw(n)), lambda part, x, y: judge(x), few, held_out
    ), player


def said(watched: referee.Referee) -> str:
    file = watched.run.path / referee.FILE
    return file.read_text() if file.exists() else ""


def test_figures_of_test_images_as_samples(tmp_path: Path, capsys: pytest.CaptureFixture):
    test = data.mnist("test")
    watched, player = referee_of(tmp_path, lambda n: test[2000 : 2000 + n][0], lambda x: x.mean((1, 2)) - 0.1)
    player.parameters()[0].data += 1
    (player(mg.tensor(np.ones((1, 2), np.float32))).sum() * 3).backward()
    figures = watched.look(600)
    assert figures["diversity"] == pytest.approx(1, abs=0.05) and figures["nearest"] == pytest.approx(1, abs=0.15)
    assert figures["classes"] == 10 and figures["class_entropy"] > 0.98
    assert figures["real_accuracy"] == pytest.approx((watched.images[:500][0].mean((1, 2, 3)) > 0.1).mean())
    assert figures["fake_accuracy"] == pytest.approx((test[2000:2500][0].mean((1, 2, 3)) < 0.1).mean())
    assert figures["held_out_accuracy"] == pytest.approx((test[:500][0].mean((1, 2, 3)) > 0.1).mean())
    assert figures["g_gradient"] == pytest.approx(3 * np.sqrt(6))
    assert not said(watched) and not capsys.readouterr().err


def test_a_player_that_stands_still_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture):
    test = data.mnist("test")
    watched, player = referee_of(tmp_path, lambda n: test[:n][0])
    watched.look(600)
    watched.look(700)
    assert (
        said(watched).startswith("step 600, g stands still: no weight of g has changed")
        and said(watched).count("\n") == 1
    )
    assert capsys.readouterr().err == f"gan: {said(watched)}"
    player.parameters()[0].data += 1
    watched.look(800)
    assert said(watched).count("\n") == 1


@pytest.mark.parametrize(
    ("draw", "ill"),
    [
        (lambda n: np.full((n, 28, 28, 1), 0.3, np.float32), "collapse"),
        (lambda n: data.mnist("train")[:n][0], "G repeats training images"),
        (lambda n: np.full((n, 28, 28, 1), np.nan, np.float32), "diverged"),
    ],
)
def test_samples_that_show_an_ill(draw: Callable[[int], np.ndarray], ill: str, tmp_path: Path):
    watched, player = referee_of(tmp_path, draw)
    player.parameters()[0].data += 1
    watched.look(600)
    assert f"step 600, {ill}: " in said(watched)


def small(folder: Path, digits: str, model: Any, **fields: Any) -> Run:
    recipe = model.Recipe(data=digits, batch_size=32, **fields)
    run = Run.create(folder, model.__name__.rpartition(".")[2], recipe)
    train_and_evaluate(model, recipe, run)
    return run


def test_a_generator_made_constant(digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build = gan.build

    def built(*arguments: Any) -> game.GAN:
        model = build(*arguments)
        first = model.generator.parameters()[0]
        first.data[...] = 0  # no noise comes in
        first.requires_grad_(False)
        return model

    monkeypatch.setattr(gan, "build", built)
    assert ", collapse: " in (small(tmp_path / "run", digits, gan, epochs=1).path / referee.FILE).read_text()


def test_a_frozen_player(digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    adam, rates = optim.Adam, iter([2e-4, 0.0])  # the second optimizer is D's
    monkeypatch.setattr(optim, "Adam", lambda parameters, lr, betas: adam(parameters, next(rates), betas))
    text = (small(tmp_path / "run", digits, gan, epochs=2).path / referee.FILE).read_text()
    assert text.count("d stands still") == 1 and "g stands still" not in text


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy tells of the overflow
@pytest.mark.parametrize(("model", "fields"), [(gan, {}), (wgan_gp, {"width": 4, "critic_steps": 1})])
def test_a_learning_rate_of_1(model: Any, fields: dict[str, Any], digits: str, tmp_path: Path):
    with pytest.raises(GradientError, match=r"training diverged at step \d+: .*train anew with a lower --lr"):
        small(tmp_path / "run", digits, model, lr=1.0, epochs=20, **fields)


def test_images_that_are_all_alike_and_a_single_sample_say_nothing(tmp_path: Path):
    alike = data.ImageDataset(np.zeros((6, 4, 4, 1), np.float32), None, (), "alike")
    run = Run.create(tmp_path / "run", "gan", gan.Recipe(data="alike.npz"))
    player = layers.Linear(2, 2, rng=mg.random.generator(0))
    for images in (alike, data.ImageDataset(np.eye(16, dtype=np.float32).reshape(16, 4, 4, 1), None, (), "one")):
        watched = referee.Referee(
            run, {"g": player}, lambda n: Drawn(np.ones((1, 4, 4, 1), np.float32)), lambda part, x, y: x, images, images
        )
        assert "diversity" not in watched.look(1)


def test_a_player_without_a_gradient_is_told_apart_from_one_without_an_optimizer(tmp_path: Path):
    watched, player = referee_of(tmp_path, lambda n: data.mnist("test")[:n][0])
    for p in player.parameters():
        p.grad = mg.zeros(*p.shape)
    watched.look(600)
    assert "no gradient reaches it" in said(watched)

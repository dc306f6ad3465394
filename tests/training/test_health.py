"""Divergence: a loss that is no number, or stays far above its start."""

import math

import pytest

from minigen.training.health import FAR, LONG, MORE, SHORT, Health


def looked(values: list[float], **start: float) -> list[bool]:
    health = Health(start)
    return [health.look({"loss": value}) is not None for value in values]


@pytest.mark.parametrize("start", [0.01, 1.0, 2.3, 550.0])
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
def test_it_is_seen_when_it_lasts(start: float, bad: float):
    assert looked([start] + [bad] * LONG) == [False] * LONG + [True]
    assert not any(looked([start] + ([bad] * (LONG - 1) + [start]) * 3))
    assert looked([bad] * LONG, loss=start)[-1]


@pytest.mark.parametrize("start", [0.0, 2.3, 550.0])
def test_how_far_is_far(start: float):
    limit = FAR * start + MORE
    assert not any(looked([start] + [limit] * 20)) and any(looked([start] + [1.001 * limit] * 20))


def test_it_lasts_until_the_loss_is_back_where_it_began():
    lost = [2.89, 2760, 1140, 54.6, 66.4, 58.5, 8.43, 5.78, 5.78, 22.2]  # a classifier at a thousand times its rate
    assert looked(lost).index(True) == LONG
    assert not any(looked([2.89, 121, 90.3, 55.9, 23.1, 5.34, 2.43, 2.32, *[9.0] * 9]))  # at a hundred times: it learns
    health = Health({"g_loss": 0.7})
    assert all(health.look({"g_loss": value}) is None for value in [20.0] * (LONG - 1) + [5.0] * 9)


def test_what_sound_trainings_do_is_not_taken_for_it():
    assert not any(looked([0.7] + [16.0] * 20))  # a generator that loses
    assert not any(looked([1e-9, 1.0, 5.0] * 9))  # a loss that began by chance at nothing
    assert not any(looked([0.0] + [-1e6] * 20))  # a critic's loss that has no floor
    health = Health()
    assert all(health.look({"d_real": math.nan, "norm": math.inf}) is None for _ in range(20)) and not health.doubtful


def test_it_is_doubtful_at_once_and_lost_a_little_later():
    health = Health({"loss": 1.0})
    states = []
    for _ in range(SHORT):
        health.look({"loss": 1e3})
        states.append((health.doubtful, health.lost))
    assert states == [(True, False)] * (SHORT - 1) + [(True, True)]
    health.look({"loss": 1.0})
    assert not health.doubtful and not health.lost


def test_it_names_the_figure_and_its_start():
    health = Health()
    health.look({"d_loss": 1.4, "g_loss": 0.7})
    said = [health.look({"d_loss": 1.4, "g_loss": 1e6}) for _ in range(LONG)]
    assert said[-1] == "g_loss is 1e+06, and was 0.7 at the start" and health.doubtful
    health.look({"d_loss": 1.4, "g_loss": 0.8})
    assert not health.doubtful
    fresh = Health()
    assert [fresh.look({"loss": math.nan}) for _ in range(LONG)][-1] == "loss is nan"

"""gpt: it sees nothing of what comes later, its cache changes nothing, it learns, and what its measure covers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data
from minigen.cli.train import train_and_evaluate
from minigen.errors import ArgumentError, DataError
from minigen.models.language import gpt
from minigen.models.parts.transformer import windows_of
from minigen.random import generator
from minigen.training import Run

SMALL: dict[str, Any] = {"layers": 2, "heads": 2, "dim": 16, "context": 8, "batch_size": 4}


def model_of(symbols: int = 7, **fields: Any) -> Any:
    """A small model in evaluation mode, with weights that are large enough for everything to matter."""
    model = gpt.GPT(symbols, gpt.Recipe(**(SMALL | fields)), generator(0)).eval()
    with mg.no_grad():
        for p in model.parameters():
            p.copy_(p.data + generator(p.size).normal(0, 0.3, p.shape).astype(p.dtype))
    return model


@pytest.fixture
def alphabets(tmp_path: Path) -> str:
    """A text in which every character follows from the one before."""
    path = tmp_path / "alphabets.txt"
    path.write_text("abcdefghijklmnopqrstuvwxyz\n" * 100)
    return str(path)


def trained(folder: Path, text: str, **fields: Any) -> Run:
    recipe = gpt.Recipe(text=text, **(SMALL | fields))
    run = Run.create(folder, "gpt", recipe)
    train_and_evaluate(gpt, recipe, run)
    return run


# ---------------------------------------------------------------- the network


def test_a_later_symbol_changes_no_earlier_logit():
    model, ids = model_of(), generator(1).integers(0, 7, (3, 8))
    with mg.no_grad():
        before = model(ids).numpy()
        for t in range(8):
            other = ids.copy()
            other[:, t] = (ids[:, t] + 1) % 7
            after = model(other).numpy()
            np.testing.assert_array_equal(after[:, :t], before[:, :t])
            for later in range(t, 8):  # while every later one hears of it
                assert (after[:, later] != before[:, later]).any()


@pytest.mark.parametrize("pieces", [[8], [1] * 8, [5, 1, 2]])
def test_the_cache_gives_the_logits_of_the_whole(pieces: list[int]):
    model, ids = model_of(), generator(1).integers(0, 7, 8)
    with mg.no_grad():
        whole, reader = model(ids[None]).numpy()[0], gpt.Reader(model)
        for end, length in zip(np.cumsum(pieces), pieces, strict=True):
            np.testing.assert_allclose(reader(ids[end - length : end]), whole[end - 1], atol=1e-5)


@pytest.mark.parametrize("context", [1, 2, 5, 8])
def test_a_full_context_goes_on_from_its_last_half(context: int):
    model, ids = model_of(context=context), generator(2).integers(0, 7, 30)
    with mg.no_grad():
        reader, held = gpt.Reader(model), np.zeros(0, int)
        for t in range(30):
            held = np.append(held, ids[t])
            if len(held) > context:
                held = held[-max(context // 2, 1) :]
            np.testing.assert_allclose(reader(ids[t : t + 1]), model(held[None]).numpy()[0, -1], atol=1e-5)
        long = gpt.Reader(model)(ids)  # a prompt beyond the context
        np.testing.assert_allclose(long, model(ids[None, -max(context // 2, 1) :]).numpy()[0, -1], atol=1e-5)


def test_entrance_and_exit_share_their_matrix_or_do_not():
    names = dict(model_of().named_parameters())
    assert "out.weight" not in names
    untied = dict(model_of(tie=False).named_parameters())
    assert untied["out.weight"].shape == (16, 7)
    assert sum(p.size for p in untied.values()) - sum(p.size for p in names.values()) == 7 * 16


def test_first_weights_are_gpt2s():
    model = gpt.GPT(65, gpt.Recipe(layers=8), generator(0))
    for name, p in model.named_parameters():
        if p.ndim == 2:
            std = 0.005 if name.endswith(("attention.out.weight", "mlp.2.weight")) else 0.02
            assert p.data.std() == pytest.approx(std, rel=0.05), name
        else:
            assert (p.data == (0 if name.endswith("bias") else 1)).all(), name
    x, y = generator(0).integers(0, 65, (2, 4, 64))
    assert mg.cross_entropy(model(x), y).item() == pytest.approx(np.log(65), abs=0.1)


# ---------------------------------------------------------------- training


def test_matrices_decay_and_nothing_else():
    model, recipe = model_of(), gpt.Recipe(**SMALL, lr=0.5, warmup=0.0, steps=10)
    optimizer, schedule = gpt.adamw(model, recipe)
    optimizer.lr = 0.5
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = mg.tensor(np.zeros_like(p.data))
    optimizer.step()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.data, before[name] * (0.95 if p.ndim == 2 else 1), rtol=1e-6)
    assert schedule.base_lr == 0.5


def test_the_learning_rate_rises_and_falls_over_all_steps():
    recipe = gpt.Recipe(**SMALL, steps=100, warmup=0.1, lr=1e-2)
    optimizer, schedule = gpt.adamw(model_of(), recipe)
    rates = []
    for _ in range(100):
        rates.append(optimizer.lr)
        schedule.step()
    assert np.argmax(rates) == 10 and rates[10] == pytest.approx(1e-2)
    assert (np.diff(rates[:11]) > 0).all() and (np.diff(rates[10:]) < 0).all()
    assert optimizer.lr == pytest.approx(1e-3)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_trainings(steps: int, alphabets: str, tmp_path: Path):
    assert trained(tmp_path / "run", alphabets, steps=steps).step == steps


def test_it_learns_the_alphabet(alphabets: str, tmp_path: Path):
    run = trained(tmp_path / "run", alphabets, dim=32, steps=150, lr=1e-2, every=50)
    history = run.history()
    losses = [value for value in history["loss"] if value is not None]
    assert losses[-1] < 0.1
    assert len([value for value in history["validation_loss"] if value is not None]) == 3
    figures = gpt.evaluate(run)
    assert figures["nats_per_character"] < 0.6  # the first of each window of eight can not be known
    assert figures["sliding_nats_per_character"] < 0.1
    text = "".join(gpt.generate(run, gpt.Request(prompt="abc", n=60, temperature=0), generator(0)))
    assert text == ("abcdefghijklmnopqrstuvwxyz\n" * 3)[:63]


def test_dropout_acts_in_training_only(alphabets: str, tmp_path: Path):
    run = trained(tmp_path / "run", alphabets, dropout=0.5, max_steps=2)
    model, ids = gpt.load(run), np.arange(8)[None]
    assert (model(ids).data != model(ids).data).any()
    assert gpt.measure(model, np.arange(9)) == gpt.measure(model, np.arange(9))
    assert model.training


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"heads": 3}, "3 heads can not share a dim of 16"),
        ({"context": 0}, "context"),
        ({"steps": 0}, "steps"),
        ({"every": 0}, "every"),
        ({"layers": -1}, "layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"warmup": 1.5}, "warmup"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"clip": float("nan")}, "clip"),
    ],
)
def test_a_bad_recipe_is_refused(fields: dict[str, Any], named: str):
    with pytest.raises(ArgumentError, match=named):
        gpt.Recipe(**(SMALL | fields))


# ---------------------------------------------------------------- the measure


@pytest.mark.parametrize(
    ("length", "context", "stride"), [(10, 4, 4), (10, 4, 2), (5, 8, 8), (9, 4, 4), (600, 4, 2), (600, 4, 1), (2, 8, 4)]
)
def test_windows_cover_every_symbol_once(length: int, context: int, stride: int):
    ids, seen = np.arange(length), []
    for x, y, new in windows_of(ids, context, stride):
        np.testing.assert_array_equal(y, x + 1)
        known = y[new] - np.broadcast_to(x[:, :1], x.shape)[new]  # symbols of its window that it is predicted from
        assert ((known > context - stride) | (y[new] <= context)).all()
        seen.append(y[new])
    np.testing.assert_array_equal(np.concatenate(seen), ids[1:])


def test_thinned_windows_are_some_of_them():
    whole = [np.concatenate(part) for part in zip(*windows_of(np.arange(1000), 4, 4), strict=True)]
    some = [np.concatenate(part) for part in zip(*windows_of(np.arange(1000), 4, 4, 3), strict=True)]
    for all_rows, rows in zip(whole, some, strict=True):
        np.testing.assert_array_equal(rows, all_rows[::3])


def test_the_measure_is_the_mean_over_windows_side_by_side():
    model, ids = model_of(), generator(3).integers(0, 7, 33)
    with mg.no_grad():
        losses = [
            mg.cross_entropy(model(ids[None, i : i + 8]), ids[None, i + 1 : i + 9]).item() for i in (0, 8, 16, 24)
        ]
    assert gpt.measure(model, ids) == pytest.approx(np.mean(losses), rel=1e-6)
    assert gpt.measure(model, ids, thinned=2) == pytest.approx(np.mean(losses[::2]), rel=1e-6)


def test_a_text_too_short_to_measure_is_named():
    with pytest.raises(DataError, match="1 symbols"):
        gpt.measure(model_of(), np.zeros(1, int))


def test_bytes_and_characters(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("Über Gipfeln ist Ruh, " * 40, encoding="utf-8")
    run = trained(tmp_path / "run", str(text), tokens="byte", max_steps=1)
    assert isinstance(gpt.saved_tokenizer(run), data.ByteTokenizer)
    validation = data.split_text(np.frombuffer(text.read_bytes(), np.uint8))[1]
    characters = len(bytes(validation).decode())
    nats = gpt.measure(gpt.load(run), validation.astype(int)) * len(validation)
    assert gpt.evaluate(run)["nats_per_character"] == pytest.approx(nats / characters) != nats / len(validation)
    assert "".join(gpt.generate(run, gpt.Request(prompt="ß", n=5), generator(0))).startswith("ß")

"""One text into another: pairs are what they say, unseen ones are kept from training, beams find what is likeliest."""

import datetime
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import plots
from minigen.cli import main
from minigen.cli.train import train_and_evaluate
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.models.language import translate
from minigen.models.parts import phrases
from minigen.random import generator
from minigen.training import Run, RunFolder

SMALL: dict[str, Any] = {"dim": 16, "layers": 1, "heads": 2, "batch_size": 16, "every": 10}


def trained(folder: Path, **fields: Any) -> Run:
    recipe = translate.Recipe(**{**SMALL, **fields})
    run = Run.create(folder, "translate", recipe)
    train_and_evaluate(translate, recipe, run, evaluating=False)
    return run


@pytest.fixture(params=["recurrent", "transformer"])
def model(request: pytest.FixtureRequest) -> translate.Translator:
    return translate.Translator(translate.Recipe(architecture=request.param, **SMALL), generator(0)).eval()


# ---------------------------------------------------------------- pairs


@pytest.mark.parametrize("task", ["dates", "sums"])
def test_pairs_are_what_they_say_and_unseen_ones_are_others(task: phrases.Task):
    kind = phrases.KINDS[task]
    seen, unseen = (phrases.Phrases(task, 400, 3, unseen) for unseen in (False, True))
    for pairs in (seen, unseen):
        sources, targets = pairs.batch(slice(None))
        assert sources.shape == (400, kind.source + 1) and targets.shape == (400, kind.target + 1)
        for i in range(400):
            source, target = pairs.texts(i)
            assert (phrases.decode(sources[i], task), phrases.decode(targets[i], task)) == (source, target)
            if task == "sums":
                assert sum(map(int, source.split("+"))) == int(target)
                number = int("".join(f"{int(part):03}" for part in source.split("+")))
            else:
                number = datetime.date.fromisoformat(target).toordinal()
            assert phrases.is_unseen(number) == pairs.unseen
    np.testing.assert_array_equal(seen.batch(np.array([5, 7]))[0], seen.batch(slice(5, 8, 2))[0])
    assert phrases.Phrases(task, 400, 4, False).texts(0) != seen.texts(0)
    shares = [phrases.is_unseen(i) for i in range(20_000)]
    assert 0.08 < np.mean(shares) < 0.12


def test_every_form_of_a_date_can_be_written():
    for form, day in itertools.product(phrases.FORMS, (datetime.date(1987, 9, 3), datetime.date(2000, 12, 31))):
        text = form(day).lower()
        kind = phrases.KINDS["dates"]
        assert phrases.decode(phrases.encode(text, "dates", kind.source), "dates") == text
    assert [phrases.ending(day) for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 30)] == [
        "st",
        "nd",
        "rd",
        "th",
        "th",
        "th",
        "th",
        "st",
        "nd",
        "th",
    ]
    with pytest.raises(DataError, match="'ü'"):
        phrases.encode("für", "dates", 34)
    with pytest.raises(DataError, match="at most 34"):
        phrases.encode("1" * 35, "dates", 34)


# ---------------------------------------------------------------- networks


def test_what_is_not_there_is_not_looked_at_and_the_future_is_unknown(model: translate.Translator):
    source, target = phrases.Phrases("dates", 3, 0, False).batch(slice(None))
    there = source != phrases.PAD
    with mg.no_grad():
        h = model.network.encode(source, there)
        logits, looked = (found.numpy() for found in model.network.decode(h, there, translate.begun(target)))
        np.testing.assert_allclose(looked.sum(2), 1, rtol=1e-5)
        assert not looked[np.broadcast_to(~there[:, None], looked.shape)].any()
        other = source.copy()
        other[~there] = 5
        found = model.network.decode(model.network.encode(other, there), there, translate.begun(target))[0].numpy()
        np.testing.assert_allclose(found, logits, atol=1e-5)
        changed = target.copy()
        changed[:, 4] = 7
        found = model.network.decode(h, there, translate.begun(changed))[0].numpy()
        np.testing.assert_allclose(found[:, :5], logits[:, :5], atol=1e-5)
        assert np.abs(found[:, 5:] - logits[:, 5:]).max() > 1e-4


def test_a_wide_beam_finds_the_likeliest_text_of_all(model: translate.Translator, monkeypatch: pytest.MonkeyPatch):
    symbols, longest = 5, 2  # a small alphabet: what a network of the right size says of four symbols
    source = phrases.Phrases("dates", 2, 0, False).batch(slice(None))[0]
    decode = model.network.decode
    monkeypatch.setattr(model.network, "decode", lambda *inputs: (3.0 * decode(*inputs)[0][:, :, :symbols], None))
    found = translate.written(model, source, longest, beam=64)
    greedy = translate.written(model, source, longest)
    texts = [
        (*body, phrases.END, *[phrases.PAD] * (longest - n))
        for n in range(longest + 1)
        for body in itertools.product(range(2, symbols), repeat=n)
    ]
    texts += itertools.product(range(2, symbols), repeat=longest + 1)
    there = source != phrases.PAD
    for row in range(2):
        one, mask = source[[row]], there[[row]]
        h = model.network.encode(one, mask)

        @mg.no_grad()
        def score(text: tuple[int, ...], h: mg.Tensor = h, mask: np.ndarray = mask) -> float:
            target = np.array([text])
            logs = mg.log_softmax(model.network.decode(h, mask, translate.begun(target))[0]).numpy()[0]
            length = text.index(phrases.END) + 1 if phrases.END in text else len(text)
            return float(sum(logs[i, text[i]] for i in range(length)))

        best = max(texts, key=score)
        assert tuple(found[row]) == best and score(tuple(greedy[row])) <= score(best) + 1e-9


# ---------------------------------------------------------------- runs


@pytest.mark.parametrize("fields", [{}, {"architecture": "transformer", "task": "sums", "ema": 0.9}])
def test_a_run_learns_resumes_and_writes(fields: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture):
    whole = trained(tmp_path / "whole", **fields, lr=1e-2, max_steps=30)
    halves = trained(tmp_path / "halves", **fields, lr=1e-2, max_steps=15)
    assert main(["train", "--resume", str(halves.path), "--max-steps", "30", "--no-eval"]) == 0
    assert halves.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()
    losses = [loss for loss in whole.history()["loss"] if loss is not None]
    assert losses[-1] < 0.95 * losses[0]
    results = translate.evaluate(whole, translate.Evaluation(beam=2, n=20))
    assert results["nats_per_character"] < 2.8 and 0 <= results["right"] <= 1 and "right_beam_2" in results
    assert (whole.path / "alignment.png").is_file()
    run = RunFolder.open(whole.path)
    prompt = "12+3" if fields else "3 March 1987"
    (text,) = translate.generate(run, translate.Request(prompt=prompt, beam=2), generator(0))
    assert set(text) <= set(phrases.KINDS[whole.recipe["task"]].characters)
    (lines,) = translate.generate(run, translate.Request(n=3), generator(0))
    assert lines.count("→") == 3
    with pytest.raises(DataError, match="written in"):
        next(translate.generate(run, translate.Request(prompt="§"), generator(0)))
    assert mg.load(run.path).preprocessing(prompt).shape == (1, phrases.KINDS[whole.recipe["task"]].source + 1)


def test_bad_recipes_are_refused():
    bad: list[dict[str, Any]] = [{"dim": 10}, {"steps": 0}, {"dropout": 1.0}, {"lr": float("nan")}, {"ema": 1.0}]
    for fields in bad:
        with pytest.raises(ArgumentError):
            translate.Recipe(**fields)
    with pytest.raises(ArgumentError, match="beam"):
        translate.Request(beam=0)


def test_alignments_are_checked(tmp_path: Path):
    with pytest.raises(ShapeError, match="2 characters looking at 3"):
        plots.save_alignments(tmp_path / "x.png", [("abc", "de", np.zeros((3, 2)))])
    with pytest.raises(DataError, match="nothing to draw"):
        plots.save_alignments(tmp_path / "x.png", [])

"""What recipes may switch on: averaged weights, early stopping, schedules; off they change nothing, on they resume.

And that every model of a run folder is one line away, with what must become of the data that it is given.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from model_helpers import IMAGE_MODELS, MODELS, trained

import minigen as mg
from minigen import data, optim
from minigen.catalog import load_model
from minigen.cli import main
from minigen.errors import ArgumentError
from minigen.models.adversarial import gan
from minigen.models.latent import vae
from minigen.models.parts.images import hold_out
from minigen.models.parts.options import scheduling
from minigen.training import Run, checkpoint
from minigen.training import steps as training_steps


def fields(name: str) -> set[str]:
    return set(load_model(name).Recipe.__dataclass_fields__)


AVERAGED = [name for name in MODELS if "ema" in fields(name)]
STOPPED = [name for name in MODELS if "patience" in fields(name)]
SCHEDULED = [name for name in MODELS if "schedule" in fields(name)]
PLATEAUS = [name for name in SCHEDULED if "plateau" in get_args(get_type_hints(load_model(name).Recipe)["schedule"])]


@pytest.fixture(scope="module")
def small(digits: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 digits of 12×12: five batches of ten an epoch, or four of eleven when every twelfth is held out."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    archive = np.load(digits)
    rows = [*range(57), *np.flatnonzero(archive["labels"] == 8)[:3]]  # or else there would be no 8
    np.savez(path, images=archive["images"][rows, 2:26:2, 2:26:2], labels=archive["labels"][rows])
    return path


@pytest.fixture(scope="module")
def page(story: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of the plays: few steps an epoch."""
    path = tmp_path_factory.mktemp("data") / "page.txt"
    path.write_text(Path(story).read_text()[:4000])
    return path


@pytest.fixture(scope="module")
def options(small: Path, page: Path) -> Callable[[str], dict[str, Any]]:
    """What makes rounds of few steps: an epoch, or `every`."""

    def of(name: str) -> dict[str, Any]:
        if name in IMAGE_MODELS:
            return {"data": str(small), "batch_size": 11, "epochs": 6}
        if name in ("gpt", "bert"):
            return {"text": str(page), "every": 2, "steps": 12}
        batch = {"text_vae": 64, "text_gan": 256, "char_rnn": 16, "word2vec": 512, "glove": 4096}[name]
        return {"text": str(page), "batch_size": batch, "epochs": 6}

    return of


def rounds(run: Run) -> list[int]:
    """The steps after which something was measured, in a run whose every round is drawn, written or saved."""
    history = run.history()
    watched = "validation_negative_elbo" if "vae" in run.model else "validation_loss"
    return [step for step, value in zip(history["step"], history[watched], strict=True) if value is not None]


@pytest.mark.parametrize("name", AVERAGED)
def test_averaged_weights_resume_and_are_what_is_loaded(name: str, options: Callable, tmp_path: Path):
    whole = trained(name, tmp_path / "whole", False, **options(name), ema=0.9, max_steps=6)
    halves = trained(name, tmp_path / "halves", False, **options(name), ema=0.9, max_steps=3)
    assert main(["train", "--no-eval", "--resume", str(halves.path), "--max-steps", "6"]) == 0
    for file in ("checkpoint.safetensors", "metrics.csv"):
        assert (halves.path / file).read_bytes() == (whole.path / file).read_bytes(), file
    for mine, theirs in zip(halves.samples()[-1:], whole.samples()[-1:], strict=True):
        assert mine.read_bytes() == theirs.read_bytes()

    saved = whole.saved()
    game = "generator." if "gan" in name else ""
    part = {"pix2pix": "generator.", "discogan": "generators."}.get(name, game)
    model = mg.load(whole.path)
    for key, array in model.state_dict().items():
        if (average := saved["ema"]["weights"].get(key.removeprefix(part))) is not None and key.startswith(part):
            np.testing.assert_array_equal(array, average)
            assert not np.array_equal(array, saved["model"][key]) or not array.any(), key
        else:
            np.testing.assert_array_equal(array, saved["model"][key])

    plain = trained(name, tmp_path / "plain", False, **options(name), ema=None, max_steps=6)
    own = plain.saved()
    assert "ema" not in own and sorted(own["model"]) == sorted(saved["model"])
    for key, array in own["model"].items():
        np.testing.assert_array_equal(array, saved["model"][key])  # averaging changes no step
    for mine, theirs in zip(plain.samples()[-1:], whole.samples()[-1:], strict=True):
        assert mine.read_bytes() != theirs.read_bytes() or name == "bert"  # whose likeliest guesses are the same yet
    for column in set(plain.history()) & set(whole.history()):
        if column.startswith(("test_n", "test_l", "validation_loss", "validation_negative")):
            assert plain.history()[column] != whole.history()[column], column


@pytest.mark.parametrize("name", STOPPED)
def test_early_stopping_stops_and_stays_stopped(
    name: str, options: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    with monkeypatch.context() as patch:  # a figure that never gets better after the first time
        patch.setattr(training_steps, "scalar", lambda value, name: 1.0)
        run = trained(name, tmp_path / "run", **options(name), patience=2)
    assert run.stopped_early and "stopped early" in capsys.readouterr().out
    assert len(rounds(run)) == 3 and run.step == rounds(run)[-1] == checkpoint.read(run.checkpoint_path)[0]
    assert run.results
    before = run.checkpoint_path.read_bytes()
    assert main(["train", "--no-eval", "--resume", str(run.path)]) == 0
    assert "stopped early" in capsys.readouterr().out
    assert run.checkpoint_path.read_bytes() == before


@pytest.mark.parametrize("name", STOPPED)
def test_a_patient_run_resumes_to_the_bit(name: str, options: Callable, tmp_path: Path):
    whole = trained(name, tmp_path / "whole", False, **options(name), patience=5, max_steps=7)
    halves = trained(name, tmp_path / "halves", False, **options(name), patience=5, max_steps=5)
    assert main(["train", "--no-eval", "--resume", str(halves.path), "--max-steps", "7"]) == 0
    assert whole.saved()["stopping"]["best"] is None or rounds(whole)
    for file in ("checkpoint.safetensors", "metrics.csv"):
        assert (halves.path / file).read_bytes() == (whole.path / file).read_bytes(), file


def learning_rate(run: Run) -> float:
    saved = run.saved()
    return saved["g_optimizer" if "gan" in run.model else "optimizer"]["lr"]


@pytest.mark.parametrize("name", SCHEDULED)
def test_the_learning_rate_stays_or_falls(name: str, options: Callable, tmp_path: Path):
    constant, cosine = (
        trained(name, tmp_path / schedule, False, **options(name), schedule=schedule, max_steps=3)
        for schedule in ("constant", "cosine")
    )
    lr = load_model(name).Recipe().lr
    assert learning_rate(constant) == lr and "schedule" not in constant.saved()
    assert 0.5 * lr < learning_rate(cosine) < lr
    assert main(["train", "--no-eval", "--resume", str(cosine.path), "--epochs", "9"]) == 2  # it falls over all of them


@pytest.mark.parametrize("name", PLATEAUS)
def test_the_learning_rate_is_halved_when_nothing_improves(
    name: str, options: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(training_steps, "scalar", lambda value, name: 1.0)
    run = trained(name, tmp_path / "run", False, **options(name) | {"epochs": 3}, schedule="plateau")
    assert learning_rate(run) == load_model(name).Recipe().lr / 2


def test_a_schedule_by_its_name():
    optimizer = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
    assert scheduling("constant", optimizer, 9) is None
    assert isinstance(scheduling("cosine", optimizer, 9), optim.CosineLR)
    assert isinstance(scheduling("plateau", optimizer, 9), optim.ReduceLROnPlateau)


@pytest.mark.parametrize("name", MODELS)
def test_bad_options_are_refused(name: str):
    for field, values in {"ema": (1.0, -0.1, float("nan")), "patience": (0, -1)}.items():
        for value in values if field in fields(name) else ():
            with pytest.raises(ArgumentError, match=field):
                load_model(name).Recipe(**{field: value})


def test_the_vae_holds_training_images_out_only_when_it_is_asked_to(options: Callable, tmp_path: Path):
    plain = trained("vae", tmp_path / "plain", False, **options("vae"), max_steps=5)
    patient = trained("vae", tmp_path / "patient", False, **options("vae"), max_steps=5, patience=1)
    assert plain.saved()["loader"]["items"] == 55 and patient.saved()["loader"]["items"] == 51
    assert "validation_negative_elbo" in patient.history() and "validation_negative_elbo" not in plain.history()
    _, held_out = hold_out(data.load(options("vae")["data"], "train"))
    expected = vae.measure(mg.load(patient.path), held_out)["negative_elbo"]
    assert patient.history()["validation_negative_elbo"][-1] == pytest.approx(expected, rel=1e-6)
    assert patient.saved()["stopping"]["best"] == expected != patient.history()["test_negative_elbo"][-1]


# ---------------------------------------------------------------- one line away


@pytest.fixture(scope="module")
def runs(options: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A run of one step by the model's name, not to be changed."""

    @cache
    def run(name: str) -> Run:
        return trained(name, tmp_path_factory.mktemp("runs") / name, False, **options(name), max_steps=1)

    return run


def fed(model: Any, name: str) -> Any:
    """What the model makes of a user's own image or text, by its preprocessing."""
    if name in IMAGE_MODELS:
        x = mg.tensor(model.preprocessing(np.full((12, 12), 255, np.uint8)))
        image_calls: dict[str, Callable[[], Any]] = {
            **{name: lambda: model(x, mg.rand(1, rng=mg.random.generator(0))) for name in ("ddpm", "flow_matching")},
            "real_nvp": lambda: model(x)[0],
            "restore": lambda: model(x, mg.ones(1, 12, 12, 1)),
            "cgan": lambda: model.discriminator(x, np.zeros(1, np.int64)),
            "discogan": lambda: model.generators["ab"](x),
            "pix2pix": lambda: model.generator(x),
            "vae": lambda: model.encode(x)[0],
            "vq_vae": lambda: model.encoder(x),
            **{game: lambda: model.discriminator(x) for game in ("gan", "dcgan", "wgan", "wgan_gp")},
        }
        return image_calls.get(name, lambda: model(x))()
    x = model.preprocessing("the king")
    calls: dict[str, Callable[[], Any]] = {
        "char_rnn": lambda: model(x)[0],
        "text_gan": lambda: model.discriminator(mg.tensor(x)),
        "text_vae": lambda: model.encode(*x)[0],
        "word2vec": lambda: model.word(x),
        "glove": lambda: model.w(x),
    }
    return calls.get(name, lambda: model(x))()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_one_line_away(name: str, runs: Callable[[str], Run]):
    model = mg.load(str(runs(name).path))
    assert type(model).__module__.startswith("minigen.models.") and not model.training
    assert all(not module.training for module in model.modules())
    assert "→" in repr(model.preprocessing)
    assert (model.preprocessing.tokenizer is None) == (name in IMAGE_MODELS)
    with mg.no_grad():
        assert np.isfinite(fed(model, name).numpy()).all()


def test_a_loaded_model_is_fed_as_it_was_trained(runs: Callable[[str], Run], small: Path):
    images = np.load(small)["images"][..., 0]
    for name, low in (("vae", 0), ("gan", -1)):
        x = mg.load(runs(name).path).preprocessing(images)
        assert x.dtype == np.float32 and x.shape == (60, 12, 12, 1)
        np.testing.assert_allclose(x[..., 0], low + (1 - low) * (images / 255), atol=1e-6)
    reader = mg.load(runs("sequential_mnist").path)
    np.testing.assert_allclose(reader.preprocessing(images), images / 255, atol=1e-6)  # rows are the steps
    bert = mg.load(runs("bert").path)
    ids = bert.preprocessing("the _ing")
    assert (ids[0] == bert.mask).tolist() == [False] * 4 + [True] + [False] * 3


def test_a_loaded_model_stays_in_evaluation_mode(runs: Callable[[str], Run]):
    model = mg.load(runs("vae").path)
    images = vae.draw(model, 2, mg.random.generator(0))
    assert images.shape == (2, 12, 12, 1) and not model.training
    players = mg.load(runs("gan").path)
    gan.draw(players, np.zeros((1, 100), np.float32))
    assert not players.generator.training


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_is_older_than_an_option_still_loads_and_goes_on(
    name: str, options: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as older:  # whose checkpoints know no recipe
        older.setattr(
            checkpoint, "save", lambda path, state, step, origin, save=checkpoint.save: save(path, state, step)
        )
        run = trained(name, tmp_path / "run", False, **options(name), max_steps=1)
    path = run.path / "recipe.json"
    document = json.loads(path.read_text())
    for field in ("ema", "patience", "schedule"):
        document["recipe"].pop(field, None)
    path.write_text(json.dumps(document))
    assert mg.load(run.path).preprocessing
    assert main(["train", "--no-eval", "--resume", str(run.path), "--max-steps", "2"]) == 0

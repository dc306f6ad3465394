"""Every model of images, on a few hundred digits: it learns, resumes bit for bit, samples, evaluates."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import IMAGE_MODELS, Interrupted, Stored, trained
from PIL import Image

import minigen as mg
from minigen import data, plots
from minigen.catalog import load_model
from minigen.cli import main
from minigen.config import config
from minigen.errors import ArgumentError, MinigenError
from minigen.models.latent import vae
from minigen.models.parts.images import hold_out
from minigen.models.vision import classifier
from minigen.random import generator
from minigen.training import checkpoint
from minigen.training import steps as training_steps


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    name: str, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = trained(name, tmp_path / "whole", False, data=tiny, max_steps=4)
    with monkeypatch.context() as patch:
        patch.setattr(training_steps, "Progress", Interrupted)
        parts = trained(name, tmp_path / "parts", False, data=tiny, max_steps=4)
    assert checkpoint.read(parts.checkpoint_path)[0] == 2
    assert main(["train", "--no-eval", "--resume", str(parts.path)]) == 0
    assert parts.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_an_extended_run_equals_an_uninterrupted_one_to_the_bit(name: str, tmp_path: Path):
    archive, digits = tmp_path / "few.npz", data.mnist("test")
    labels = np.asarray(digits.labels)
    rows = [*range(45), *np.flatnonzero(labels == 8)[:3]]  # or else there would be no 8
    np.savez(archive, images=digits.images[rows, 2:26:2, 2:26:2], labels=labels[rows])
    whole = trained(name, tmp_path / "whole", False, data=str(archive), max_steps=7)
    parts = trained(name, tmp_path / "parts", False, data=str(archive), max_steps=5)  # in the middle of an epoch
    assert main(["train", "--no-eval", "--resume", str(parts.path), "--max-steps", "7"]) == 0
    for file in ("metrics.csv", "checkpoint.safetensors", "curves.png"):
        assert (parts.path / file).read_bytes() == (whole.path / file).read_bytes(), file


@pytest.mark.parametrize("name", ["vae", "gan", "dcgan"])
def test_a_sheet_that_fails_is_drawn_when_the_run_goes_on(
    name: str, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = trained(name, tmp_path / "whole", False, data=tiny, batch_size=80, epochs=2)
    save_grid, steps = plots.save_grid, whole.step // 2

    def fail_at_the_second(path: Path, images: np.ndarray, **words: Any) -> None:
        if path.name != f"step-{steps:06d}.png":
            raise MemoryError
        save_grid(path, images, **words)

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(plots, "save_grid", fail_at_the_second)
        trained(name, tmp_path / "run", False, data=tiny, batch_size=80, epochs=2)
    assert checkpoint.read(tmp_path / "run" / "checkpoint.safetensors")[0] == steps
    assert main(["train", "--no-eval", "--resume", str(tmp_path / "run")]) == 0
    for path in (*whole.samples(), whole.checkpoint_path, whole.path / "metrics.csv"):
        assert (tmp_path / "run" / path.relative_to(whole.path)).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize("name", ["classifier", "sequential_mnist"])
def test_an_evaluation_that_fails_costs_no_step(name: str, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(plots, "save_confusion", fail)
    with pytest.raises(MemoryError):
        trained(name, tmp_path / "run", data=tiny, max_steps=1)
    assert checkpoint.read(tmp_path / "run" / "checkpoint.safetensors")[0] == 1


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_a_run_folder_alone_gives_the_model(name: str, tiny: str, tmp_path: Path):
    archive = tmp_path / "moved.npz"
    archive.write_bytes(Path(tiny).read_bytes())
    plain = {"ema": None} if hasattr(load_model(name).Recipe, "ema") else {}
    run = trained(name, tmp_path / "run", False, data=str(archive), max_steps=1, **plain)
    archive.unlink()
    saved = checkpoint.read(run.checkpoint_path)[1]["model"]
    for key, array in load_model(name).load(run).state_dict().items():
        np.testing.assert_array_equal(array, saved[key])


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_pictures_of_a_folder_are_brought_to_one_size(name: str, tmp_path: Path):
    for i in range(40):
        folder = tmp_path / "pictures" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (10 + i, 20), i * 6).save(folder / f"{i}.png")
    run = trained(name, tmp_path / "run", False, data=str(tmp_path / "pictures"), size=12, max_steps=1)
    assert checkpoint.read(run.checkpoint_path)[1]["model"]["image"].tolist() == [12, 12, 1]
    assert load_model(name).evaluate(run)


@pytest.mark.parametrize(
    ("name", "count"),
    [*((name, 1) for name in IMAGE_MODELS), *((name, 7) for name in ("vae", "autoencoder", "real_nvp"))],
)
def test_few_test_images(name: str, count: int, tmp_path: Path):
    images = generator(0).integers(0, 256, (10 * count, 12, 12), np.uint8)
    np.savez(tmp_path / "few.npz", images=images, labels=np.zeros(10 * count, np.int64))
    assert len(data.load(tmp_path / "few.npz", "test")) == count
    run = trained(name, tmp_path / "run", data=str(tmp_path / "few.npz"), batch_size=4, max_steps=2)
    assert (run.path / "interpolation.png").exists() == (name in ("vae", "autoencoder", "real_nvp") and count > 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy tells of the overflow
def test_divergence_ends_the_run_and_keeps_the_checkpoint(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = trained("vae", tmp_path / "run", False, data=tiny, max_steps=1)
    step, state = checkpoint.read(run.checkpoint_path)
    state["optimizer"]["lr"] = 1e30
    checkpoint.save(run.checkpoint_path, {name: Stored(value) for name, value in state.items()}, step)
    before = run.checkpoint_path.read_bytes()
    assert main(["train", "--no-eval", "--resume", str(run.path), "--max-steps", "9"]) == 1
    error = capsys.readouterr().err
    assert re.search(r"diverged at or before step [2-9]: NaN in model\..*learning rate 1e\+30", error)
    assert "checkpoint of step 1 is intact" in error
    assert run.checkpoint_path.read_bytes() == before


def test_another_precision_is_explained(tiny: str, tmp_path: Path):
    for name in IMAGE_MODELS:
        run = trained(name, tmp_path / name, False, data=tiny, max_steps=1)
        step, saved = checkpoint.read(run.checkpoint_path)
        wide = {
            key: array.astype(np.float64) if array.dtype.kind == "f" else array for key, array in saved["model"].items()
        }
        checkpoint.save(run.checkpoint_path, {"model": Stored(wide)}, step)
        with pytest.raises(MinigenError, match="set MINIGEN_DTYPE=float64"):
            load_model(name).load(run)


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_the_seed_decides_and_not_the_threads(
    name: str, tiny: str, tmp_path: Path, all_threads: int, monkeypatch: pytest.MonkeyPatch
):
    saved = []
    for seed, threads in [(3, 1), (3, all_threads), (4, 1)]:
        monkeypatch.setattr(config, "threads", threads)
        run = trained(name, tmp_path / f"{len(saved)}", False, data=tiny, max_steps=1, seed=seed)
        saved.append(run.checkpoint_path.read_bytes())
    first, again, other = saved
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_a_run_folder_can_be_evaluated_and_sampled(name: str, tiny: str, tmp_path: Path):
    model, run = load_model(name), trained(name, tmp_path / "run", False, data=tiny, max_steps=2)
    figures = model.evaluate(run)
    assert figures
    assert all(np.isfinite(value) for value in figures.values())
    if hasattr(model, "sample"):
        images = model.sample(run, model.Request(n=3), generator(0))
        assert images.shape == (3, 12, 24 if name in ("pix2pix", "discogan") else 12, 1)  # with the source
        assert images.dtype == np.float32
        assert 0 <= images.min() <= images.max() <= 1
        np.testing.assert_array_equal(images, model.sample(run, model.Request(n=3), generator(0)))
        assert list((run.path / "samples").glob("*.png"))


@pytest.mark.parametrize("name", IMAGE_MODELS)
@pytest.mark.parametrize(
    "field", [{"epochs": 0}, {"size": 0}, {"batch_size": 0}, {"lr": -1.0}, {"lr": float("nan")}, {"max_steps": 0}]
)
def test_a_bad_recipe_is_refused(name: str, field: dict[str, Any]):
    with pytest.raises(ArgumentError, match=next(iter(field)).replace("_", "-")):
        load_model(name).Recipe(**field)


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_images_that_do_not_fit_are_refused_or_learned(name: str, tmp_path: Path):
    archive = tmp_path / "small.npz"
    np.savez(archive, images=np.zeros((40, 5, 6), np.uint8), labels=np.arange(40) % 2)
    try:
        trained(name, tmp_path / "run", data=str(archive), max_steps=1)
    except MinigenError as error:
        assert "5" in str(error) and "6" in str(error)


# ---------------------------------------------------------------- vae


@pytest.mark.parametrize("architecture", ["mlp", "convolutional"])
@pytest.mark.parametrize("latent", [1, 2, 5])
def test_vae_draws_its_sheets(architecture: str, latent: int, tiny: str, tmp_path: Path):
    fields = {"architecture": architecture, "latent": latent, "hidden": 32}
    run = trained("vae", tmp_path / "run", data=tiny, max_steps=1, **fields)
    sheets = {"curves.png", "reconstructions.png", "interpolation.png", "traversal.png"} | (
        {"latent.png"} if latent > 1 else set()
    )
    assert {path.name for path in run.path.glob("*.png")} == sheets


def test_vae_loss_is_the_papers():
    rng = generator(0)
    logits, mu, logvar = (rng.standard_normal(shape) for shape in [(3, 2, 2, 1), (3, 4), (3, 4)])
    x = rng.random((3, 2, 2, 1))
    reconstruction, kl = vae.negative_elbo(*map(mg.tensor, (logits, x, mu, logvar)))
    p = 1 / (1 + np.exp(-logits))
    bernoulli = x * np.log(p) + (1 - x) * np.log(1 - p)
    np.testing.assert_allclose(reconstruction.item(), -bernoulli.sum(axis=(1, 2, 3)).mean(), rtol=1e-12)
    appendix_b = 0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum(axis=1)
    np.testing.assert_allclose(kl.item(), -appendix_b.mean(), rtol=1e-12)


def test_vae_sample_is_mu_plus_sigma_eps():
    mu, variance = np.array([[1.0, -2.0]], np.float32), np.array([[4.0, 0.25]], np.float32)
    z = vae.reparametrize(mg.tensor(mu), mg.tensor(np.log(variance)), generator(0)).numpy()
    eps = generator(0).standard_normal(mu.shape, dtype=np.float32)
    np.testing.assert_allclose(z, mu + np.sqrt(variance) * eps, rtol=1e-6)


def test_vae_learns(tiny: str, tmp_path: Path):
    run = trained("vae", tmp_path / "run", data=tiny, epochs=8, hidden=64, latent=4)
    losses = [value for value in run.history()["test_negative_elbo"] if value is not None]
    assert losses[0] > 1.15 * losses[-1]


# ---------------------------------------------------------------- classifier


def test_classifier_learns(tiny: str, tmp_path: Path):
    run = trained("classifier", tmp_path / "run", data=tiny, epochs=6)
    assert classifier.evaluate(run)["accuracy"] > 0.6
    assert {"confusion.png", "curves.png"} <= {path.name for path in run.path.glob("*.png")}


def test_classifier_holds_out_every_twelfth_image():
    images = data.mnist("test")
    training, validation = hold_out(images)
    assert (len(training), len(validation)) == (9167, 833)
    np.testing.assert_array_equal(validation.images[1], images.images[23])
    np.testing.assert_array_equal(np.asarray(training.labels)[11], np.asarray(images.labels)[12])


def test_classifier_needs_labels(tmp_path: Path):
    archive = tmp_path / "blank.npz"
    np.savez(archive, images=np.zeros((40, 28, 28), np.uint8))
    with pytest.raises(MinigenError, match="no labels"):
        trained("classifier", tmp_path / "run", data=str(archive))


def test_classifier_keeps_the_classes_of_its_training(tiny: str, tmp_path: Path):
    run = trained("classifier", tmp_path / "run", data=tiny, max_steps=1)
    assert int(classifier.load(run).classes) == 10
    archive = np.load(tiny)
    few, many = (dict(archive, labels=np.arange(400) % classes) for classes in (3, 11))
    np.savez(tmp_path / "few.npz", **few)
    np.savez(tmp_path / "many.npz", **many)
    run.recipe["data"] = str(tmp_path / "few.npz")
    assert classifier.evaluate(run)
    run.recipe["data"] = str(tmp_path / "many.npz")
    with pytest.raises(MinigenError, match="11 classes, those of training had 10"):
        classifier.evaluate(run)


def test_classifier_can_not_grow_in_epochs(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = trained("classifier", tmp_path / "run", data=tiny, epochs=2, max_steps=1)
    recipe = (run.path / "recipe.json").read_bytes()
    assert main(["train", "--no-eval", "--resume", str(run.path), "--epochs", "3"]) == 2
    error = capsys.readouterr().err
    assert "only --max-steps can change" in error and "steps already done depend on --epochs" in error
    assert (run.path / "recipe.json").read_bytes() == recipe

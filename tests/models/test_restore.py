"""Images that lack something: what is known stays, and a network that knows the image finds it."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import trained
from test_diffusion import Perfect

import minigen as mg
from minigen.errors import ArgumentError
from minigen.models.applications import restore
from minigen.models.diffusion import ddpm
from minigen.random import generator
from minigen.training import RunFolder

X = generator(0).random((6, 8, 8, 1), dtype=np.float32)
TASKS = ("noise", "half", "block", "resolution")


def test_what_is_left_of_images():
    noise, half, block, resolution = (restore.damaged(X, task, generator(1)) for task in TASKS)
    assert (noise.images - X).std() == pytest.approx(0.5, rel=0.1) and noise.known.all()
    np.testing.assert_array_equal(half.images[:, :4], X[:, :4])
    assert not half.images[:, 4:].any() and not half.known[:, 4:].any()
    assert ((1 - block.known).sum((1, 2, 3)) == 9).all() and len({row.tobytes() for row in block.known}) > 1
    np.testing.assert_array_equal(block.images, X * block.known)
    np.testing.assert_allclose(resolution.images[:, 0, 0, 0], X[:, :2, :2, 0].mean((1, 2)), rtol=1e-6)
    assert len(np.unique(resolution.images[0])) == 16
    with pytest.raises(ArgumentError, match="even sides"):
        restore.damaged(X[:, :7], "resolution", generator(1))


@pytest.mark.parametrize("task", TASKS)
def test_what_is_known_stays(task: restore.Task):
    given = restore.damaged(X, task, generator(1))
    found = restore.kept(mg.tensor(np.full_like(X, 0.5)), given, task).numpy()
    if task == "resolution":
        np.testing.assert_allclose(restore.halved(found), restore.halved(X), atol=1e-6)
    elif task != "noise":
        np.testing.assert_array_equal(found * given.known, X * given.known)
        assert (found[given.known == 0] == 0.5).all()


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_network_that_knows_the_image_restores_it(noise: float):
    levels, image = ddpm.Noise(ddpm.Recipe()), generator(3).uniform(-1, 1, (4, 4, 1)).astype(np.float32)
    x = image + noise * generator(4).standard_normal((3, 4, 4, 1), dtype=np.float32)
    found = ddpm.restore(Perfect(image, levels), levels, x, noise, None, generator(0))
    np.testing.assert_allclose(found, np.broadcast_to(image, x.shape), atol=1e-3)
    held = ddpm.restore(Perfect(image, levels), levels, x, noise, lambda found: 0.0 * found + 0.25, generator(0))
    np.testing.assert_allclose(held, 0.25, atol=1e-3)


@pytest.mark.parametrize("task", ["half", "noise"])
def test_a_run_is_measured_beside_diffusion(task: str, tiny: str, tmp_path: Path):
    run = RunFolder.open(trained("restore", tmp_path / "run", data=tiny, task=task, lr=3e-3, max_steps=40).path)
    assert run.results["psnr_autoencoder"] > run.results["psnr_damaged"] > 5
    diffusion = trained("ddpm", tmp_path / "ddpm", data=tiny, max_steps=1).path
    found = restore.evaluate(run, restore.Evaluation(diffusion=str(diffusion), n=3))
    assert {
        f"{measure}_{name}" for measure in ("psnr", "ssim") for name in ("damaged", "autoencoder", "diffusion")
    } == set(found)
    assert (run.path / "restored.png").is_file()
    with pytest.raises(ArgumentError, match="holds a run of restore"):
        restore.evaluate(run, restore.Evaluation(diffusion=str(run.path)))

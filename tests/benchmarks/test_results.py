"""The README's table of results: what is kept of a run, how it is printed, and which runs are refused."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from minigen.errors import DataError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """benchmarks.results, which keeps its runs in an empty folder."""
    monkeypatch.syspath_prepend(ROOT)
    module = import_module("benchmarks.results")
    monkeypatch.setattr(module, "KEPT", tmp_path / "kept")
    return module


def run(folder: Path, model: str, results: dict[str, float], **recipe: Any) -> Path:
    folder.mkdir()
    recipe = {"seed": 0} | recipe
    (folder / "recipe.json").write_text(json.dumps({"model": model, "recipe": recipe}))
    (folder / "run.json").write_text(json.dumps({"step": 1234, "seconds": 61.2, "results": results}))
    (folder / "metrics.csv").write_text("step,loss\n1,2\n")
    return folder


def test_a_row_has_units_and_no_foreign_path(results: Any, tmp_path: Path):
    figures = {"negative_elbo": 103.084, "kl": 25.07}
    kept = results.keep(run(tmp_path / "v", "vae", figures, data="/home/ada/my digits.npz", latent=2))
    assert kept.name == "vae-data-my-digits-npz-latent-2"
    assert "/home" not in (kept / "recipe.json").read_text()
    assert results.row(kept) == (
        "| [`minigen train vae --data 'my digits.npz' --latent 2`]"
        "(docs/results/vae-data-my-digits-npz-latent-2/metrics.csv), seed 0 "
        "| negative elbo 103.08, kl 25.07 nats per image | 1,234 | 1 min 01 s |"
    )
    kept = results.keep(run(tmp_path / "c", "classifier", {"accuracy": 0.99456}))
    assert "| accuracy 99.46 % |" in results.row(kept)


def test_the_table_has_the_main_figures_of_models_with_many(results: Any, tmp_path: Path):
    for model, shown in results.SHOWN.items():
        figures = dict.fromkeys([*shown, "another"], 0.5)
        row = results.row(results.keep(run(tmp_path / model, model, figures)))
        assert all(name.replace("_", " ") in row for name in shown) and "another" not in row


def test_other_seeds_are_kept_beside_the_first(results: Any, tmp_path: Path):
    with pytest.raises(DataError, match="with seed 0 first"):
        results.keep(run(tmp_path / "b", "vae", {"kl": 24.0}, seed=1))
    kept = results.keep(run(tmp_path / "v0", "vae", {"kl": 25.0}, seed=0))
    for seed, kl in ((1, 24.0), (2, 26.5)):
        assert results.keep(run(tmp_path / f"v{seed}", "vae", {"kl": kl}, seed=seed)) == kept
    assert [path.name for path in results.KEPT.iterdir()] == ["vae"]
    assert "seeds 0, 1, 2 | kl 25.17 ± 1.258 nats per image | 1,234 |" in results.row(kept)
    assert json.loads((kept / "recipe.json").read_text())["recipe"]["seed"] == 0


def test_an_unfinished_run_is_refused(results: Any, tmp_path: Path):
    with pytest.raises(DataError, match="step 1234 without results"):
        results.keep(run(tmp_path / "v", "vae", {}))
    assert not results.KEPT.exists()

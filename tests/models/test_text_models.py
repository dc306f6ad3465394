"""Every model of text, on a few pages: it resumes bit for bit, generates, evaluates, refuses what it cannot read."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import SMALL, TEXT_MODELS, Interrupted, Stored, trained

from minigen.catalog import load_model
from minigen.cli import main
from minigen.errors import ArgumentError, DataError, MinigenError
from minigen.random import generator
from minigen.training import Run, checkpoint
from minigen.training import steps as training_steps

WRITERS = [name for name in TEXT_MODELS if hasattr(load_model(name), "generate")]


def written(run: Run, n: int, seed: int, **options: Any) -> str:
    model = load_model(run.model)
    return "".join(model.generate(run, model.Request(n=n, **options), generator(seed)))


def copied(run: Run, folder: Path) -> Run:
    shutil.copytree(run.path, folder)
    return Run.open(folder)


@pytest.fixture(scope="module")
def text(story: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the story that a test may change for a while."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(Path(story).read_bytes())
    return path


@pytest.fixture(scope="module")
def runs(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A run of five steps by the model's name, not to be changed."""

    @cache
    def run(name: str) -> Run:
        return trained(name, tmp_path_factory.mktemp("runs") / name, False, text=str(text), max_steps=5)

    return run


@pytest.fixture
def whole(name: str, runs: Callable[[str], Run]) -> Run:
    """The run of the model that the test is about."""
    return runs(name)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_resumed_run_equals_an_uninterrupted_one(whole: Run, text: Path, tmp_path: Path):
    halves = trained(whole.model, tmp_path / "halves", False, text=str(text), max_steps=3)
    assert halves.checkpoint_path.read_bytes() != whole.checkpoint_path.read_bytes()
    assert main(["train", "--no-eval", "--resume", str(halves.path), "--max-steps", "5"]) == 0
    for file in ("metrics.csv", "checkpoint.safetensors", "curves.png"):
        paths = [run.path / file for run in (halves, whole)]
        assert paths[0].exists() == paths[1].exists()
        assert not paths[0].exists() or paths[0].read_bytes() == paths[1].read_bytes(), file


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    whole: Run, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(training_steps, "Progress", Interrupted)
        parts = trained(whole.model, tmp_path / "parts", False, text=str(text), max_steps=5)
    assert checkpoint.read(parts.checkpoint_path)[0] == 2
    assert main(["train", "--no-eval", "--resume", str(parts.path)]) == 0
    assert parts.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_the_seed_decides_and_not_the_threads(whole: Run, text: Path, tmp_path: Path, all_threads: int):
    again, other = (trained(whole.model, tmp_path / f"{s}", False, text=str(text), max_steps=5, seed=s) for s in (0, 4))
    assert again.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()
    assert other.checkpoint_path.read_bytes() != whole.checkpoint_path.read_bytes()


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_run_folder_alone_gives_the_model_and_its_text(whole: Run, text: Path):
    before = written(whole, 20, seed=0) if whole.model in WRITERS else ""
    away = text.rename(text.with_name("moved.txt"))
    try:
        saved = checkpoint.read(whole.checkpoint_path)[1]["model"]
        for key, array in load_model(whole.model).load(whole).state_dict().items():
            np.testing.assert_array_equal(array, saved[key])
        if whole.model in WRITERS:
            assert written(whole, 20, seed=0) == before
    finally:
        away.rename(text)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_run_can_be_evaluated(whole: Run):
    figures = load_model(whole.model).evaluate(whole)
    assert figures
    assert all(np.isfinite(value) for value in figures.values())
    assert load_model(whole.model).evaluate(whole) == figures


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in ("word2vec", "glove")])  # they draw nothing
def test_generated_text_follows_from_seed_and_choice(whole: Run):
    first = written(whole, 60, seed=1)
    assert first == written(whole, 60, seed=1) != written(whole, 60, seed=2)
    greedy = written(whole, 60, seed=1, temperature=0.0)
    for options in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-300}):
        assert written(whole, 60, seed=1, **options) == greedy, options


@pytest.mark.parametrize("name", WRITERS)
def test_the_last_sample_is_shown_after_training(whole: Run, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = tmp_path / "run"
    small = [word for field, value in SMALL.get(whole.model, {}).items() for word in (f"--{field}", str(value))]
    assert main(["train", whole.model, "--text", str(text), "--max-steps", "1", "--out", str(folder), *small]) == 0
    sample = Run.open(folder).sample_path(1, ".txt").read_text()
    assert sample.strip() and sample in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "text_gan"])  # it takes no prompt
def test_a_character_in_the_prompt_that_the_corpus_lacks_is_named(whole: Run):
    with pytest.raises((DataError, ArgumentError)) as error:
        written(whole, 5, seed=0, prompt="Ω")
    assert "Ω" in str(error.value)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_another_precision_is_explained(whole: Run, tmp_path: Path):
    run = copied(whole, tmp_path / "run")
    step, saved = checkpoint.read(run.checkpoint_path)
    wide = {key: a.astype(np.float64) if a.dtype.kind == "f" else a for key, a in saved["model"].items()}
    saved["model"] = wide
    checkpoint.save(run.checkpoint_path, {key: Stored(value) for key, value in saved.items()}, step)
    with pytest.raises(MinigenError, match="set MINIGEN_DTYPE=float64"):
        load_model(run.model).load(run)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_another_text_is_refused(whole: Run, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    run, story = copied(whole, tmp_path / "run"), text.read_bytes()
    text.write_text(text.read_text().translate({ord("e"): "ë", ord("t"): " xyz "}))
    try:
        assert main(["train", "--no-eval", "--resume", str(run.path), "--max-steps", "6"]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    finally:
        text.write_bytes(story)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_dry_run_keeps_nothing(
    name: str, story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.chdir(tmp_path)
    assert main(["train", name, "--text", story, "--dry-run"]) == 0
    assert "parameters" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TEXT_MODELS)
@pytest.mark.parametrize(
    "field", [{"epochs": 0}, {"batch_size": 0}, {"lr": -1.0}, {"lr": float("nan")}, {"max_steps": 0}]
)
def test_a_bad_recipe_is_refused(name: str, field: dict[str, Any]):
    recipe = load_model(name).Recipe
    if not hasattr(recipe, "epochs") and "epochs" in field:
        field = {"steps": 0}
    with pytest.raises(ArgumentError, match=next(iter(field)).replace("_", "-")):
        recipe(**field)


WRONG: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "one character": lambda path: path.write_bytes(b"a"),
    "one line": lambda path: path.write_bytes(b"To be, or not to be\n"),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "another encoding": lambda path: path.write_bytes("Schöne Grüße\n".encode("latin-1") * 1000),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", TEXT_MODELS)
@pytest.mark.parametrize("kind", WRONG)
def test_a_text_that_can_not_be_read_gets_one_clear_error(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    WRONG[kind](tmp_path / "text.txt")
    folder = tmp_path / "run"
    assert main(["train", name, "--text", str(tmp_path / "text.txt"), "--max-steps", "1", "--out", str(folder)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("minigen: error: ") and error.count("\n") == 1
    assert not folder.exists()

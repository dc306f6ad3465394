"""The command line: flags out of a recipe, run folders, resuming, and one clear error for every wrong input."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from minigen import cli, flags
from minigen.config import config
from minigen.training.checkpoint import version

# A model that needs no training: its weight counts the steps.
TOY = '''
"""A toy: counts steps."""
from dataclasses import dataclass
from typing import Literal
import numpy as np
from minigen import data
from minigen.errors import DataError
from minigen.errors import DataError
from minigen.models import require_positive
from minigen.training import checkpoint

@dataclass(frozen=True)
class Recipe:
    """Toy."""
    epochs: int = 2  # passes over ten steps
    lr: float = 0.5  # 100% made up
    kind: Literal["plain", "fancy"] = "plain"  # which one
    noisy: bool = False  # shout
    data: str = "mnist"  # what to read
    max_steps: int | None = None  # stop early
    def __post_init__(self):
        require_positive(self, "epochs", "lr", "max_steps")

class Counter:
    def __init__(self):
        self.weight = np.zeros((1, 2, 2, 1), np.float32)
    def state_dict(self):
        return {"weight": self.weight}
    def load_state_dict(self, state):
        self.weight = state["weight"]
    def named_parameters(self):
        return [("weight", self.weight)]

def train(recipe, run):
    data.load(recipe.data, "test")
    counter = Counter()
    total = min(recipe.epochs * 10, recipe.max_steps or 1000)
    start = run.restore({"model": counter})
    with run.progress(total, start) as progress:
        for step in range(start + 1, total + 1):
            counter.weight += 1
            progress.update(step)
            run.log(step, loss=1 / step)
    run.save({"model": counter}, total)
    run.finish()

def load(run):
    counter = Counter()
    run.load({"model": counter})
    return counter

def sample(run, n, rng):
    return np.repeat(load(run).weight / 100, n, axis=0)

def evaluate(run):
    return {"count": float(load(run).weight[0, 0, 0, 0])}
'''


# What makes a text model of it. Its text shows how it was called.
TEXT_FIELD = ('    data: str = "mnist"', '    text: str = "shakespeare"  # what to read\n    data: str = "mnist"')
TALKS = """
def generate(run, prompt, n, choice, rng):
    if "Ω" in prompt:
        raise DataError("no Ω in the corpus")
    yield prompt
    for _ in range(n):
        yield f" {choice.temperature:g} {choice.top_k} {choice.top_p} {rng.integers(10)}"
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and the models `toy`, `mute` (draws no samples) and `talker` beside the real ones."""
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "toy.py").write_text(TOY)
    (extra / "mute.py").write_text(TOY.replace("def sample(", "def _sample("))
    (extra / "talker.py").write_text(TOY.replace("def sample(", "def _sample(").replace(*TEXT_FIELD) + TALKS)
    package = import_module("minigen.models")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(extra)])
    for name in ("toy", "mute", "talker"):
        monkeypatch.delitem(sys.modules, f"minigen.models.{name}", raising=False)
        monkeypatch.delattr(package, name, raising=False)
    monkeypatch.setattr(config, "debug", False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def weight(folder: str) -> float:
    assert cli.main(["eval", folder]) == 0
    return json.loads(Path(folder, "evaluation.json").read_text())["count"]


def test_train_numbers_its_folders_and_says_where_things_are(capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy"]) == 0
    assert "runs/toy-1/curves.png" in capsys.readouterr().out
    assert cli.main(["train", "toy", "--epochs", "1"]) == 0
    assert (weight("runs/toy-1"), weight("runs/toy-2")) == (20, 10)


def test_folder_numbers_go_on_after_gaps():
    for name in ("toy-2", "toy-9", "toy-x", "toy-old-11"):
        Path("runs", name).mkdir(parents=True)
    assert cli.next_folder("toy") == Path("runs/toy-10")


def test_flags_reach_the_recipe():
    argv = ["train", "toy", "--lr", "0.1", "--kind", "fancy", "--noisy", "--max-steps", "3", "--out", "here"]
    assert cli.main(argv) == 0
    recipe = json.loads(Path("here/recipe.json").read_text())["recipe"]
    assert recipe == {"epochs": 2, "lr": 0.1, "kind": "fancy", "noisy": True, "data": "mnist", "max_steps": 3}


def test_resume_goes_on_and_may_extend():
    assert cli.main(["train", "toy", "--out", "here", "--max-steps", "3"]) == 0
    assert cli.main(["train", "--resume", "here", "--max-steps", "7"]) == 0
    assert weight("here") == 7
    assert cli.main(["train", "toy", "--resume", "here", "--lr", "0.5"]) == 0  # the stored value is no conflict
    assert weight("here") == 7
    assert cli.main(["train", "toy", "--resume", "here", "--max-steps", "100", "--epochs", "3"]) == 0
    assert weight("here") == 30


def test_dry_run_leaves_nothing(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "max_steps        2" in out
    assert "weight" in out
    assert list(workplace.iterdir()) == []


def test_warmup_leaves_nothing(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["warmup", "toy"]) == 0
    assert capsys.readouterr().out == "toy: ready\n"
    assert list(workplace.iterdir()) == []


def test_sample_writes_a_picture_of_n_images():
    cli.main(["train", "toy", "--out", "here"])
    assert cli.main(["sample", "here", "-n", "9", "-o", "nine.png"]) == 0
    assert Path("nine.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["sample", "here"]) == 0
    assert Path("here/grid.png").exists()


def test_sample_writes_text_as_it_comes(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    cli.main(["train", "talker", "--out", "here"])
    capsys.readouterr()
    flushed = []
    monkeypatch.setattr(sys.stdout, "flush", lambda: flushed.append(True))
    argv = ["sample", "here", "--prompt", "ROMEO:", "-n", "2", "--seed", "1", "-o", "text.txt"]
    assert cli.main([*argv, "--temperature", "0", "--top-k", "3", "--top-p", "0.9"]) == 0
    assert len(flushed) >= 3
    out = capsys.readouterr().out
    assert out == "ROMEO: 0 3 0.9 4 0 3 0.9 5\n"
    assert Path("text.txt").read_text() == out
    assert cli.main(["sample", "here"]) == 0
    assert capsys.readouterr().out.startswith(" 1 None None ")
    assert cli.main([*argv[:6], "--seed", "2"]) == 0
    assert capsys.readouterr().out != out


def test_help_shows_every_field_with_comment_and_default(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "toy", "--help"])
    assert stop.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("--epochs N passes over ten steps (default: 2)", "100% made up", "--no-noisy", "(default: none)"):
        assert text in out


def test_every_model_documents_every_field():
    for name in cli.model_names():
        recipe = cli.load_model(name).Recipe
        comments = flags.field_comments(recipe)
        assert [field for field in recipe.__dataclass_fields__ if not comments.get(field)] == [], name


def test_info_tells_versions_and_data(capsys: pytest.CaptureFixture):
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert np.__version__ in out
    assert "60,000 + 10,000 images" in out


WRONG = [
    ("trian vae", 2, "unknown command trian; did you mean train?"),
    ("train", 2, "needs the name of a model"),
    ("train --epochs 3", 2, "needs the name of a model"),
    ("train toi", 2, "unknown model toi; did you mean toy?"),
    ("train zzz", 2, "known: "),
    ("train toy --epochz 3", 2, "unknown flag --epochz; did you mean --epochs?"),
    ("train toy --epochz=3", 2, "did you mean --epochs?"),
    ("train toy --epoch 3", 2, "did you mean --epochs?"),
    ("train toy stray", 2, "stray"),
    ("train toy --epochs", 2, "--epochs: expected one argument"),
    ("train toy --epochs 2.5", 2, "'2.5' is not a whole number"),
    ("train toy --lr fast", 2, "'fast' is not a number"),
    ("train toy --lr nan", 2, "lr is nan"),
    ("train toy --epochs 0", 2, "epochs is 0"),
    ("train toy --max-steps -1", 2, "max-steps is -1"),
    ("train toy --kind odd", 2, "invalid choice: 'odd'"),
    ("train toy --data nowhere", 1, "nowhere"),
    ("train toy --out full", 1, "full is not empty"),
    ("train toy --out full/file", 1, "is a file"),
    ("train toy --out full/file/below", 1, "part of this path is a file"),
    ("train toy --resume nowhere", 1, "no run folder nowhere"),
    ("train --resume full", 1, "not a run folder"),
    ("train mute --resume done", 1, "run of toy, not of mute"),
    ("train --resume done --out else", 2, "leave out --out"),
    ("train --resume done --lr 0.7", 2, "--lr 0.7 does not go with the run in done (0.5)"),
    ("train --resume done --epochs 1", 2, "only grow"),
    ("train --resume done --max-steps 5", 2, "does not go with the run in done (no limit)"),
    ("train --resume done --epochs 0", 2, "epochs is 0"),
    ("train --resume damaged", 1, "recipe.json is damaged"),
    ("train --resume cut", 1, "checkpoint.safetensors is damaged"),
    ("train --resume cut --epochs 3", 1, "checkpoint.safetensors is damaged"),
    ("sample done -o grid.jpg", 2, "let the name end in .png"),
    ("sample done -o grid", 2, "let the name end in .png"),
    ("sample nowhere", 1, "no run folder nowhere"),
    ("sample done -n 0", 2, "at least 1"),
    ("sample done -n many", 2, "'many' is not a whole number"),
    ("sample done --seed -1", 2, "seed is -1"),
    ("sample done -o nowhere/grid.png", 1, "nowhere/grid.png"),
    ("sample silent", 2, "draws no samples"),
    ("sample done --prompt a --top-k 3", 2, "draws images; leave out --prompt, --top-k"),
    ("sample done --temperature 1", 2, "leave out --temperature"),
    ("sample spoken -o text.png", 2, "let the name end in .txt"),
    ("sample spoken -n 0", 2, "at least 1"),
    ("sample spoken --temperature -1", 2, "temperature is -1"),
    ("sample spoken --temperature nan", 2, "temperature is nan"),
    ("sample spoken --temperature warm", 2, "'warm' is not a number"),
    ("sample spoken --top-k 0", 2, "top-k is 0"),
    ("sample spoken --top-k 1.5", 2, "'1.5' is not a whole number"),
    ("sample spoken --top-p 0", 2, "top-p is 0"),
    ("sample spoken --top-p 1.5", 2, "top-p is 1.5"),
    ("sample spoken --prompt Ω", 1, "no Ω in the corpus"),
    ("sample spoken --promt a", 2, "did you mean --prompt?"),
    ("sample spoken -n 3 -o nowhere/text.txt", 1, "nowhere/text.txt"),
    ("sample", 2, "required: FOLDER"),
    ("sample cut", 1, "checkpoint.safetensors is damaged"),
    ("sample fresh", 1, "no checkpoint"),
    ("eval full", 1, "not a run folder"),
    ("eval done --loud", 2, "unknown flag --loud"),
    ("info --loud", 2, "unknown flag --loud"),
    ("warmup zzz", 2, "unknown model zzz"),
]


@pytest.fixture
def folders(workplace: Path) -> Path:
    """done: a finished run; silent: one without samples; spoken: of text; damaged, cut, fresh, full: as named."""
    runs = {"done": "toy", "silent": "mute", "spoken": "talker", "damaged": "toy", "cut": "toy", "fresh": "toy"}
    for name, model in runs.items():
        assert cli.main(["train", model, "--out", name]) == 0
    Path("damaged/recipe.json").write_text("{")
    Path("cut/checkpoint.safetensors").write_bytes(Path("cut/checkpoint.safetensors").read_bytes()[:-3])
    Path("fresh/checkpoint.safetensors").unlink()
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    return workplace


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_wrong_input_gets_one_clear_error_and_loses_nothing(folders: Path, capsys: pytest.CaptureFixture):
    before = contents(folders)
    for line, code, fragment in WRONG:
        capsys.readouterr()
        assert cli.main(line.split()) == code, line
        error = capsys.readouterr().err
        assert error.startswith("minigen: error: "), line
        assert error.count("\n") == 1, line
        assert fragment in error, line
        assert contents(folders) == before, line


def test_a_run_knows_its_data_from_any_folder(monkeypatch: pytest.MonkeyPatch):
    np.savez("mine.npz", images=np.zeros((20, 8, 8), np.uint8))
    whole = str(Path("mine.npz").resolve())
    assert cli.main(["train", "toy", "--data", "mine.npz", "--out", "here"]) == 0
    assert json.loads(Path("here/recipe.json").read_text())["recipe"]["data"] == whole
    assert cli.main(["train", "--resume", "here", "--data", "mine.npz"]) == 0  # the same file is no conflict
    monkeypatch.chdir("here")
    assert cli.main(["train", "--resume", ".", "--epochs", "3"]) == 0
    Path("mnist").mkdir()
    assert cli.main(["train", "toy", "--data", "mnist", "--out", "named"]) == 0
    assert json.loads(Path("named/recipe.json").read_text())["recipe"]["data"] == "mnist"


def test_a_run_knows_its_text_from_any_folder():
    Path("mine.txt").write_text("a")
    assert cli.main(["train", "talker", "--text", "mine.txt", "--out", "here"]) == 0
    assert json.loads(Path("here/recipe.json").read_text())["recipe"]["text"] == str(Path("mine.txt").resolve())
    Path("shakespeare").mkdir()
    assert cli.main(["train", "talker", "--out", "named"]) == 0
    assert json.loads(Path("named/recipe.json").read_text())["recipe"]["text"] == "shakespeare"


def test_version(capsys: pytest.CaptureFixture):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"minigen {version()}\n"
    done = subprocess.run([sys.executable, "-m", "minigen", "--versoin"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minigen: error: unknown command --versoin")


def test_a_terminal_that_lacks_a_character_gets_another():
    done = subprocess.run(
        [sys.executable, "-m", "minigen", "--help"], capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (0, b"") and b"?" in done.stdout


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy", "--data", "nowhere", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "info", interrupted)
    assert cli.main(["info"]) == 130
    assert capsys.readouterr().err == "minigen: interrupted\n"


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("minigen")
    done = subprocess.run([command, "train", "toi"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minigen: error: unknown model toi")

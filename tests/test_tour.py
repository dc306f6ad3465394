"""docs/tour.md against the code: its afternoon names every file that one step of the VAE passes, and no other."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigen as mg
from minigen import data, optim
from minigen.models.latent import vae

ROOT = Path(__file__).resolve().parent.parent
TOUR = (ROOT / "docs" / "tour.md").read_text()
AFTERNOON = TOUR[TOUR.index("# The afternoon") : TOUR.index("# The second day")]


def follow_a_step() -> dict[str, dict[str, int]]:
    """Every function that a training step calls, by file: its name, and its lines."""
    rng = mg.random.generator(0)
    images = data.load("mnist", "train")
    model = vae.VAE(images.image_shape, vae.Recipe(), rng)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    batches = data.DataLoader(images, 16, shuffle=True, rng=rng).steps(0, 2)
    codes = set()

    def step() -> None:
        _, (x, *_) = next(batches)
        x = mg.tensor(x)
        logits, mu, logvar = model(x, rng)
        reconstruction, kl = vae.negative_elbo(logits, x, mu, logvar)
        loss = reconstruction + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()  # the first one finds kernels, and the like
    sys.setprofile(lambda frame, event, _: codes.add(frame.f_code) if event == "call" else None)
    step()
    sys.setprofile(None)
    found: dict[str, dict[str, int]] = {}
    for code in codes:
        path = Path(code.co_filename).resolve()
        ours = any(path.is_relative_to(ROOT / folder) for folder in ("minigen", "models"))
        if ours and not code.co_name.startswith("<"):
            functions = found.setdefault(str(path.relative_to(ROOT)), {})
            functions[code.co_qualname] = len(inspect.getsourcelines(code)[0])
    return found


@pytest.fixture(scope="module")
def followed() -> dict[str, dict[str, int]]:
    """`follow_a_step` on the plain kernels, in a process of its own."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"MINIGEN_BACKEND": "numpy", "PYTHONPATH": path}
    code = "import json, test_tour; print(json.dumps(test_tour.follow_a_step()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout)


def test_the_afternoon_names_every_file_of_the_path_and_no_other(followed: dict[str, dict[str, int]]):
    named = set(re.findall(r"`((?:minigen|models)/[\w/]+\.py)`", AFTERNOON))
    assert named - {"minigen/training/steps.py"} == set(followed)  # that one, it says, is for the evening


def test_its_figures_are_those_of_the_code(followed: dict[str, dict[str, int]]):
    stated = re.search(r"about ([\d,]+) lines of definitions in (\d+) files", TOUR)
    assert stated is not None
    lines = sum(sum(functions.values()) for functions in followed.values())
    assert abs(int(stated[1].replace(",", "")) - lines) < 0.05 * lines
    assert int(stated[2]) == len(followed)


def test_every_path_that_the_tour_names_is_there():
    paths = set(re.findall(r"`((?:minigen|models|docs|tests|benchmarks)/[\w/.]*)`", TOUR))
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_what_it_tells_to_try_works():
    blocks = [block for block in re.findall(r"```python\n(.*?)```", TOUR, re.DOTALL) if "import minigen as mg" in block]
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "docs/tour.md", "exec"), {"print": lambda *_: None})

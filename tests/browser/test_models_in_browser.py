"""Exported models in a real Chromium: digits are drawn with the mouse and by keys, and its numbers are minigen's.

The page is built as `make demo-page` does it. Skipped where there is no Chromium, or onnxruntime-web can not be had.
"""

import functools
import http.server
import importlib.util
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data
from minigen.catalog import load_model
from minigen.errors import ArgumentError

BUILD = Path(__file__).resolve().parents[2] / "docs" / "browser" / "build.py"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DIGITS: dict[int, list[list[tuple[float, float]]]] = {  # lines from point to point, as a hand might draw them
    0: [[(0.5, 0.1), (0.3, 0.2), (0.22, 0.5), (0.3, 0.8), (0.5, 0.9), (0.7, 0.8), (0.78, 0.5), (0.7, 0.2), (0.5, 0.1)]],
    1: [[(0.5, 0.1), (0.5, 0.9)]],
    2: [[(0.25, 0.3), (0.35, 0.15), (0.55, 0.1), (0.7, 0.25), (0.65, 0.45), (0.25, 0.85), (0.75, 0.87)]],
    3: [
        [(0.28, 0.18), (0.5, 0.1), (0.68, 0.2), (0.65, 0.38), (0.45, 0.48)],
        [(0.45, 0.48), (0.68, 0.58), (0.7, 0.75), (0.5, 0.9), (0.27, 0.82)],
    ],
    4: [[(0.35, 0.1), (0.25, 0.5), (0.75, 0.5)], [(0.65, 0.12), (0.62, 0.9)]],
    5: [[(0.7, 0.12), (0.35, 0.12), (0.3, 0.45), (0.55, 0.42), (0.7, 0.6), (0.62, 0.82), (0.4, 0.9), (0.25, 0.8)]],
    6: [[(0.6, 0.1), (0.4, 0.3), (0.3, 0.6), (0.38, 0.85), (0.6, 0.88), (0.7, 0.7), (0.58, 0.55), (0.35, 0.62)]],
    7: [[(0.25, 0.15), (0.75, 0.15), (0.45, 0.9)]],
    8: [
        [(0.5, 0.48), (0.33, 0.3), (0.5, 0.1), (0.67, 0.3), (0.5, 0.48), (0.3, 0.7)],
        [(0.3, 0.7), (0.5, 0.9), (0.7, 0.7), (0.5, 0.48)],
    ],
    9: [[(0.68, 0.3), (0.5, 0.1), (0.32, 0.28), (0.48, 0.48), (0.68, 0.3), (0.65, 0.6), (0.6, 0.9)]],
}


@pytest.fixture(scope="module")
def building() -> ModuleType:
    """docs/browser/build.py."""
    spec = importlib.util.spec_from_file_location("docs_browser_build", BUILD)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_damaged_package_is_refused(building: ModuleType, tmp_path: Path):
    (tmp_path / building.RUNTIME).write_bytes(b"other bytes")
    with pytest.raises(ArgumentError, match="is not the file that it should be; remove it"):
        building.runtime(tmp_path)


def test_without_npm_the_mend_is_told(building: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ArgumentError, match=r"npm is missing; install Node\.js, or put onnxruntime-web-"):
        building.runtime(tmp_path)


# ---------------------------------------------------------------- in Chromium


class Quiet(http.server.SimpleHTTPRequestHandler):
    """`python -m http.server`, without its log."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address(building: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, built and served."""
    folder = tmp_path_factory.mktemp("page")
    try:
        building.runtime(building.ROOT / "build")
    except ArgumentError as error:
        pytest.skip(str(error))
    building.build(folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()


@pytest.fixture(scope="module")
def tab(address: str) -> Iterator[Any]:
    """The page in Chromium, which may have asked nobody else, and may not have complained in the end."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page, said, asked = browser.new_page(viewport={"width": 1200, "height": 1100}), [], []
        page.set_default_timeout(30_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.locator("#ready", has_text="ready after").wait_for()
        yield page
        assert said == []
        assert [url for url in asked if not url.startswith((address, "data:"))] == []
        browser.close()


in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


def draw(tab: Any, strokes: list[list[tuple[float, float]]], size: float = 1.0, shift: float = 0.0) -> None:
    """Draw on the pad with the mouse, at `size` of the strokes' own, moved by a share of the pad."""
    pad = tab.locator("canvas.pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for stroke in strokes:
        for i, (x, y) in enumerate(stroke):
            at = (box["x"] + (x * size + shift) * box["width"], box["y"] + (y * size + shift) * box["height"])
            tab.mouse.move(*at, steps=4 if i else 1)
            if not i:
                tab.mouse.down()
        tab.mouse.up()


def reads(tab: Any, words: str) -> None:
    """Wait until this stands on the page as the answer."""
    tab.locator(".answer", has_text=words).wait_for()


@pytest.mark.slow
@in_chromium
def test_digits_that_are_drawn_are_read(tab: Any):
    for size, shift in ((1.0, 0.0), (0.4, 0.55)):
        for digit, strokes in DIGITS.items():
            tab.get_by_role("button", name="clear").click()
            draw(tab, strokes, size, shift)
            reads(tab, f"reads {digit}, ")


@pytest.mark.slow
@in_chromium
def test_what_is_drawn_is_prepared_as_mnist_is(tab: Any):
    for digit, strokes in DIGITS.items():
        images = []
        for size in (1.0, 0.3):
            given = [[[x * size, y * size] for x, y in stroke] for stroke in strokes]
            image = tab.evaluate("(strokes) => Array.from(window.minigen.prepare(strokes))", given)
            images.append(np.array(image).reshape(28, 28))
        np.testing.assert_allclose(images[0], images[1], atol=1e-5)  # however large one draws
        rows, columns = np.nonzero(images[0])
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21), digit
        assert images[0].max() == 1 and images[0].min() == 0
        centre = np.array([(images[0].sum(axis) * np.arange(28)).sum() for axis in (0, 1)]) / images[0].sum()
        assert np.abs(centre - 14).max() < (1.5 if digit == 7 else 0.3), (digit, centre)  # a 7 would be cut off


@pytest.mark.slow
@in_chromium
def test_its_numbers_are_those_of_minigen(tab: Any):
    images, model = data.mnist("test").images[:8], mg.load("classifier")
    with mg.no_grad():
        x = model.preprocessing(images)
        p = mg.softmax(model(mg.tensor(x))).numpy()
    found = [tab.evaluate("(x) => window.minigen.classify(x)", one.reshape(-1).tolist()) for one in x]
    np.testing.assert_allclose(np.array(found), p, atol=1e-5)
    z = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)
    decoded = load_model("vae").decode(mg.load("vae"), z, None).reshape(4, -1)
    found = [tab.evaluate("async (z) => Array.from(await window.minigen.decode(z))", one.tolist()) for one in z]
    np.testing.assert_allclose(np.array(found), decoded, atol=1e-5)


@pytest.mark.slow
@in_chromium
def test_keys_draw_take_back_and_drag(tab: Any):
    pad = tab.locator("canvas.pad")
    pad.press("Delete")
    reads(tab, "draw something")
    for key in ("ArrowUp",) * 8 + (" ",) + ("ArrowDown",) * 16:
        pad.press(key)
    reads(tab, "reads 1, ")
    pad.press("Backspace")
    reads(tab, "draw something")
    tab.get_by_role("button", name="a test image").click()
    reads(tab, "reads 7, 100.0 %; it is 7")
    place = tab.locator("#plane .hint", has_text=re.compile("^at "))
    seen, decoded = "document.querySelector('.pixels.big').toDataURL()", set()
    for move in (
        lambda: tab.locator("canvas.map").press("ArrowLeft"),
        lambda: tab.get_by_label("through").select_option("the middle of class 0"),
    ):
        at = place.inner_text()
        decoded.add(tab.evaluate(seen))
        move()
        place.filter(has_not_text=at).wait_for()
    assert len(decoded | {tab.evaluate(seen)}) == 3


@pytest.mark.slow
@in_chromium
def test_a_narrow_window_does_not_scroll_sideways(tab: Any):
    tab.set_viewport_size({"width": 360, "height": 700})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.set_viewport_size({"width": 1200, "height": 1100})

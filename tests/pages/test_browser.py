"""The pages in a real Chromium, by what a person does: open, see, click, drag, type. Where one is installed.

What is asserted is what stands on the page afterwards; and that the browser had nothing to complain of.
"""

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages_helpers import TOKEN

from minigen.pages import save_report
from minigen.pages.connections import listening
from minigen.pages.server import Server
from minigen.training import RunFolder

playwright = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    """The page over the runs, served."""
    place: socket.socket = listening("view", "127.0.0.1", 0, 0)
    number = place.getsockname()[1]
    application = Server(runs).application(TOKEN, (f"127.0.0.1:{number}",))
    serving = uvicorn.Server(uvicorn.Config(application, log_level="critical"))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [place]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{number}/{TOKEN}/"
    serving.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        found = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield found
        found.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A page of it, which may not have complained in the end."""
    page, said = browser.new_page(viewport={"width": 1200, "height": 900}), []
    page.set_default_timeout(20_000)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    problem = page.locator("#problem")
    assert not problem.count() or not problem.is_visible(), problem.inner_text()
    assert said == []
    page.close()


def drag(tab: Any, what: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press at one place of an element, in shares of its size, and let go at another."""
    box = what.bounding_box()
    (x0, y0), (x1, y1) = ((box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in (start, end))
    tab.mouse.move(x0, y0)
    tab.mouse.down()
    tab.mouse.move(x1, y1, steps=5)
    tab.mouse.up()


def changed(tab: Any, what: Any, attribute: str, before: str) -> None:
    """Wait until an element's attribute is another."""
    playwright.expect(what).not_to_have_attribute(attribute, before)


def test_runs_are_listed_filtered_and_compared(tab: Any, address: str):
    tab.goto(address)
    rows = tab.locator("table.runs tbody tr")
    playwright.expect(rows.filter(has_text="told")).to_have_count(1)
    tab.get_by_label("only runs with").fill("latent")
    playwright.expect(rows.filter(has_text="gpt")).to_have_count(0)
    for name in ("vae", "told"):
        tab.get_by_label(f"choose {name}").check()
    tab.get_by_role("button", name="compare").click()
    playwright.expect(tab.locator("#title")).to_have_text(re.compile("vae"))
    playwright.expect(tab.locator("main h2").first).to_have_text("What differs in their recipes")
    names = tab.locator("table.recipe th:visible")
    playwright.expect(names.filter(has_text=re.compile("^latent$"))).to_have_count(1)
    playwright.expect(names.filter(has_text="hidden")).to_have_count(0)
    tab.locator("summary", has_text="are the same").click()
    playwright.expect(names.filter(has_text="hidden")).to_have_count(1)


def test_curves_zoom_by_dragging(tab: Any, address: str):
    tab.goto(f"{address}#/run/vae")
    curve = tab.locator(".chart .curve").first
    before = curve.get_attribute("d")
    chart = tab.locator(".chart svg").first
    chart.scroll_into_view_if_needed()
    drag(tab, chart, (0.4, 0.5), (0.8, 0.5))
    changed(tab, curve, "d", before)
    tab.get_by_label("logarithmic").check()
    chart.dblclick()
    playwright.expect(tab.get_by_label("smooth")).to_have_count(0)  # of so few points nothing is smoothed


def test_a_sample_that_appears_is_shown_and_samples_move_by_keys(tab: Any, address: str, runs: Path):
    tab.goto(f"{address}#/run/told")
    playwright.expect(tab.locator("#at")).to_have_text(" after step 1 of 1")
    samples = runs / "told" / "samples"
    new = samples / "step-000007.png"
    new.write_bytes((samples / "step-000001.png").read_bytes())
    try:
        playwright.expect(tab.locator("#at")).to_have_text(" after step 7 of 7")
        tab.locator("#step").press("Home")
        playwright.expect(tab.locator("#at")).to_have_text(" after step 1 of 7")
    finally:
        new.unlink()


def test_a_picture_is_enlarged_by_keys(tab: Any, address: str, runs: Path):
    picture = runs / "told" / "latent.png"
    picture.write_bytes((runs / "told" / "samples" / "step-000001.png").read_bytes())
    try:
        tab.goto(f"{address}#/run/told")
        tab.get_by_role("button", name="latent").press("Enter")
        playwright.expect(tab.get_by_role("dialog").get_by_alt_text("latent")).to_be_visible()
        tab.keyboard.press("Escape")
        playwright.expect(tab.get_by_role("dialog")).to_have_count(0)
    finally:
        picture.unlink()


def test_without_samples_some_are_drawn_and_a_map_without_points_is_filled(tab: Any, address: str):
    tab.goto(f"{address}#/run/shipped:dcgan")
    playwright.expect(tab.locator("#at")).to_have_text(re.compile("drawn now"))
    playwright.expect(tab.get_by_alt_text("samples after step")).to_have_attribute("src", re.compile("^data:image/png"))
    tab.get_by_role("link", name="latent space").click()
    filled = "document.querySelector('canvas.map')?.toDataURL().length > 20000"  # empty it has a quarter of that
    again = "requestAnimationFrame(look)"
    assert tab.evaluate(f"new Promise((done) => {{ const look = () => ({filled} ? done(true) : {again}); look(); }})")


def test_the_latent_space_is_dragged_walked_and_typed_into(tab: Any, address: str):
    tab.goto(f"{address}#/run/vae/latent")
    image, board = tab.get_by_alt_text("what is decoded here"), tab.locator("canvas.map")
    playwright.expect(image).to_have_attribute("src", re.compile("^data:image/png"))
    for move in (
        lambda: drag(tab, board, (0.2, 0.2), (0.7, 0.6)),
        lambda: board.press("ArrowLeft"),
        lambda: tab.get_by_label("hidden number").first.press("Home"),
        lambda: tab.get_by_role("button", name="draw at random").click(),
        lambda: tab.get_by_label("test image").fill("3"),
    ):
        before = image.get_attribute("src")
        move()
        changed(tab, image, "src", before)
    playwright.expect(tab.get_by_alt_text("the test image")).to_be_visible()
    tab.get_by_role("button", name="walk").click()
    playwright.expect(tab.get_by_alt_text("the walk")).to_be_visible()


def test_noise_is_followed_step_by_step(tab: Any, address: str):
    tab.goto(f"{address}#/run/ddpm/walk")
    tab.get_by_label("steps").fill("4")
    tab.get_by_label("class").select_option("3")
    tab.get_by_role("button", name="walk").click()
    film = tab.get_by_label("step", exact=True)
    playwright.expect(film).to_have_attribute("max", "4")
    image = tab.get_by_alt_text("what the noise is by now")
    film.press("Home")
    before = image.get_attribute("src")
    film.press("End")
    changed(tab, image, "src", before)


@pytest.mark.parametrize("name", ["gpt", "char_rnn"])
def test_a_prompt_is_typed_and_gone_on_with(tab: Any, address: str, name: str):
    tab.goto(f"{address}#/run/{name}/symbols")
    prompt, fact = tab.get_by_label("prompt"), tab.locator("p.hint", has_text="entropy")
    prompt.fill("hello")
    playwright.expect(fact).to_have_text(re.compile("5 symbols read"))
    tab.locator(".bars button").first.click()
    playwright.expect(fact).to_have_text(re.compile("6 symbols read"))
    tab.get_by_role("button", name="write on").click()
    playwright.expect(prompt).to_have_value(re.compile(r"^hello[\s\S]{50,}"))
    if name == "char_rnn":
        tab.get_by_label("colour").select_option("cell")
        playwright.expect(tab.locator(".coloured span").first).to_have_attribute("title", re.compile("^-?[0-9.]+$"))
    else:
        playwright.expect(fact).to_have_text(re.compile("16 symbols read"))  # what was written is read
        prompt.fill("\n" * 60)
        prompt.evaluate("(text) => { text.scrollTop = 0; }")
        tab.locator(".bars button").first.click()
        left = "(text) => text.scrollHeight - text.clientHeight - text.scrollTop"
        assert prompt.evaluate(left) <= 1 < prompt.evaluate("(text) => text.scrollTop")
        tab.locator(".heads canvas").first.hover()
        playwright.expect(tab.get_by_text("looked at")).to_contain_text("%")


def test_words_are_asked_for_by_typing_and_clicking(tab: Any, address: str):
    tab.goto(f"{address}#/run/glove/words")
    question = tab.get_by_label("a word, or a sum of words")
    playwright.expect(tab.locator("#title")).to_have_text("glove")
    near = tab.locator(".bars")
    playwright.expect(near.locator("i")).to_have_count(12)
    first = near.inner_text()
    tab.locator("canvas.map").click(position={"x": 200, "y": 200})
    playwright.expect(near).not_to_have_text(first, use_inner_text=True)  # the new list is there
    word = near.locator("button").last.inner_text()
    near.locator("button").last.click()
    playwright.expect(question).to_have_value(word)


def test_what_is_wrong_with_a_question_stands_beside_it(browser: Any, address: str):
    page = browser.new_page()
    page.goto(f"{address}#/run/glove/words")
    playwright.expect(page.locator(".bars i")).to_have_count(12)
    question = page.get_by_label("a word, or a sum of words")
    question.fill("xyzzy")
    question.press("Enter")
    wrong = page.get_by_role("alert").filter(has_text="not among")
    playwright.expect(wrong).to_have_count(1)
    below = wrong.bounding_box()["y"] - question.bounding_box()["y"]
    assert 0 < below < 60 and page.locator(".bars i").count() == 0
    question.fill("the")
    question.press("Enter")
    playwright.expect(page.locator(".bars i")).to_have_count(12)
    playwright.expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)
    page.close()


def test_a_pixel_of_a_map_explains_itself(tab: Any, address: str):
    tab.goto(f"{address}#/run/{'shipped:classifier'}/maps")
    explained, mark = tab.locator(".explained"), tab.locator(".sheet i").filter(visible=True)
    playwright.expect(explained).to_contain_text("in all")  # of the largest number of the first layer
    tab.get_by_alt_text("maps of layer 6").click(position={"x": 4, "y": 4})
    playwright.expect(explained).to_contain_text("at row 0, column 0 of map 0 of layer 6")
    playwright.expect(mark).to_have_count(1)
    box, sheet = mark.bounding_box(), tab.get_by_alt_text("maps of layer 6").bounding_box()
    assert abs(box["x"] + box["width"] / 2 - sheet["x"] - 4) <= box["width"]
    tab.get_by_role("button", name="look at the largest").click()
    playwright.expect(explained).not_to_contain_text("It is 0")
    before = explained.inner_text()
    tab.get_by_label("show").select_option("gradient")
    tab.get_by_label("test image").fill("5")
    playwright.expect(explained).not_to_have_text(before, use_inner_text=True)


def test_layers_are_seen_over_time(tab: Any, address: str):
    tab.goto(f"{address}#/run/vae/layers")
    playwright.expect(tab.get_by_text("mu.weight")).to_be_visible()
    tab.get_by_label("show").select_option("outputs")
    playwright.expect(tab.locator(".ridge svg").first).to_be_visible()


def test_the_game_in_the_plane_plays_pauses_and_begins_again(tab: Any, address: str):
    tab.goto(f"{address}#/plane")
    said = tab.get_by_role("status")
    playwright.expect(said).to_have_text("step 0 · discriminator's loss – · generator's loss –")
    board, controls = (tab.locator(part).bounding_box() for part in (".board", ".controls"))
    assert controls["x"] >= board["x"] + board["width"]
    tab.get_by_role("button", name="play").click()
    playwright.expect(said).to_have_text(re.compile(r"step [1-9]\d+"))
    playwright.expect(tab.locator(".chart .curve").first).to_have_attribute("d", re.compile("L"))
    tab.get_by_role("button", name="pause").click()
    tab.get_by_role("button", name="begin again").click()
    playwright.expect(said).to_have_text(re.compile("step 0"))


def test_narrow_windows_do_not_scroll_sideways_and_darkness_is_dark(tab: Any, address: str):
    tab.set_viewport_size({"width": 400, "height": 800})
    tab.emulate_media(color_scheme="dark")
    runs = ("#/run/vae", "#/run/vae/latent", "#/run/gpt/symbols", "#/run/vae/layers", "#/compare/vae,told")
    for page in ("", *runs, "#/plane"):
        tab.goto(address + page)
        playwright.expect(tab.locator("main > *").first).to_be_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400, page
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"


def test_a_report_opens_without_a_server(tab: Any, runs: Path, tmp_path: Path):
    save_report(tmp_path / "report.html", [RunFolder.open(runs / "vae"), RunFolder.open(runs / "told")])
    tab.goto((tmp_path / "report.html").as_uri())
    playwright.expect(tab.locator("#title")).to_have_text("vae, told")
    tab.locator("#step").press("Home")
    playwright.expect(tab.locator(".chart .curve").first).to_be_visible()


def test_curves_of_any_numbers_are_drawn(tab: Any, tmp_path: Path):
    for i, rows in enumerate(
        ["1,1e17", "1,1e20\n2,1e20", "1,1e16\n2,1.0000000000000002e16", "1,-1e308\n2,1e308", "1,nan\n2,inf"]
    ):
        folder = tmp_path / f"run-{i}"
        folder.mkdir()
        (folder / "recipe.json").write_text('{"model": "vae", "recipe": {}}')
        (folder / "metrics.csv").write_text(f"step,loss\n{rows}\n")
        save_report(tmp_path / "report.html", [RunFolder.open(folder)])
        tab.goto((tmp_path / "report.html").as_uri())
        tab.get_by_label("logarithmic").check()
        playwright.expect(tab.locator(".chart text").first).to_be_visible()


def test_a_late_answer_does_not_take_the_page_that_one_has_gone_to(tab: Any, address: str):
    def late(route: Any) -> None:
        time.sleep(1)
        route.continue_()

    tab.route("**/api/runs/told", late)
    tab.goto(f"{address}#/compare/vae,told")
    tab.evaluate("location.hash = '#/plane'")
    playwright.expect(tab.locator("canvas")).to_be_visible()
    tab.wait_for_timeout(1500)
    playwright.expect(tab.locator("canvas")).to_be_visible()
    tab.unroute_all(behavior="wait")


def test_the_focus_stays_while_a_run_goes_on(tab: Any, address: str, runs: Path):
    tab.goto(f"{address}#/run/told")
    logarithmic = tab.get_by_label("logarithmic")
    logarithmic.focus()
    new = runs / "told" / "samples" / "step-000009.png"
    new.write_bytes((runs / "told" / "samples" / "step-000001.png").read_bytes())
    try:
        playwright.expect(tab.locator("#at")).to_have_text(" after step 9 of 9")
        playwright.expect(logarithmic).to_be_focused()
    finally:
        new.unlink()


def test_addresses_that_lead_nowhere(browser: Any, address: str):
    page, said = browser.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    for odd in ("#/run/%", "#/run/", "#/compare/", "#/nowhere"):
        page.goto(address + odd)
        playwright.expect(page.locator("table.runs tbody tr")).not_to_have_count(0)
    for odd, words in (("#/run/vae/constructor", "nothing called"), ("#/run/none", "no run")):
        page.goto(address + odd)
        playwright.expect(page.locator("#problem")).to_contain_text(words)
    assert said == []
    page.close()


def test_a_page_of_another_site_learns_nothing(browser: Any, address: str):
    page = browser.new_page()
    page.goto("about:blank")
    tried = f"fetch('{address}api/runs').then((answer) => answer.text(), (error) => 'refused')"
    assert page.evaluate(tried) == "refused"
    page.set_content(f"<iframe src='{address}'></iframe>")
    inner = page.frames[-1]
    assert "runs" not in (inner.content() if inner != page.main_frame else "")
    page.close()

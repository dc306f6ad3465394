"""The rooms say what the models themselves would say."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from pages_helpers import ask
from PIL import Image

import minigen as mg
from minigen import layers
from minigen.autograd.observe import observe
from minigen.catalog import SHIPPED, load_model, model_names
from minigen.models.latent import vae
from minigen.models.parts.text import saved_tokenizer
from minigen.pages.guard import Guard
from minigen.pages.plane import Plane
from minigen.pages.rooms import ROOMS
from minigen.pages.rooms.arithmetic import backward, products, window
from minigen.pages.rooms.latent import Latent
from minigen.pages.rooms.maps import Maps
from minigen.pages.rooms.pictures import test_image as image_of_test_set
from minigen.pages.shelf import Kept
from minigen.see.looks import Looks
from minigen.training import RunFolder


def pixels(address: str) -> np.ndarray:
    """The picture that an address holds."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_rooms_are_for_models_that_exist(runs: Path):
    for name in (*vae_like(), "gpt", "glove", "ddpm"):
        assert name in model_names()
    run = RunFolder.open(runs / "told")
    assert [name for name, room in ROOMS.items() if room.fits(run)] == ["latent"]


def vae_like() -> tuple[str, ...]:
    from minigen.pages.rooms import latent

    return (*latent.CODERS, *latent.GAMES, *latent.NOISES)


# ---------------------------------------------------------------- latent


def test_a_place_in_z_is_decoded_as_the_model_decodes_it(server: Guard, runs: Path):
    found = ask(server, "api/runs/vae/rooms/latent?z=0.5,-1,2")
    model = vae.load(RunFolder.open(runs / "vae"))
    expected = vae.decode(model, np.array([[0.5, -1, 2]], np.float32))[0, ..., 0]
    np.testing.assert_array_equal(pixels(found["picture"]), np.rint(expected.astype(np.float64) * 255))
    assert found["z"] == [0.5, -1.0, 2.0]


def test_a_test_image_is_coded_and_lies_where_the_map_has_it(server: Guard):
    about = ask(server, "api/runs/vae/rooms/latent")
    found = ask(server, "api/runs/vae/rooms/latent?image=7")
    np.testing.assert_allclose(found["at"], about["points"][7], atol=2e-3)
    there = ask(server, f"api/runs/vae/rooms/latent?x={found['at'][0]}&y={found['at'][1]}")
    np.testing.assert_allclose(there["at"], found["at"], atol=1e-3)
    assert pixels(found["original"]).shape == (28, 28)


def test_a_told_class_changes_the_picture(server: Guard):
    two, seven = (pixels(ask(server, f"api/runs/told/rooms/latent?x=0&y=0&class={y}")["picture"]) for y in (2, 7))
    assert (two != seven).any()


def test_walks_begin_and_end_where_they_should(server: Guard):
    strip = pixels(ask(server, "api/runs/vae/rooms/latent?from=3&to=4&steps=5")["picture"])
    ends = [pixels(ask(server, f"api/runs/vae/rooms/latent?image={i}")["picture"]) for i in (3, 4)]
    assert strip.shape == (30, 5 * 29 + 1)
    assert np.abs(strip[1:29, 1:29].astype(int) - ends[0]).max() <= 1
    assert np.abs(strip[1:29, -29:-1].astype(int) - ends[1]).max() <= 1


@pytest.mark.parametrize("name", ["shipped:dcgan", "shipped:cgan", "ddpm", "flow_matching", "real_nvp"])
def test_what_has_no_encoder_is_drawn_from_noise(server: Guard, name: str):
    about = ask(server, f"api/runs/{name}/rooms/latent")
    assert about["encodes"] is False and about["points"] == []
    first, same, other = (
        pixels(ask(server, f"api/runs/{name}/rooms/latent?{at}")["picture"]) for at in ("x=1&y=2", "x=1&y=2", "seed=3")
    )
    assert first.shape == (28, 28)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_a_lattice_has_the_images_of_its_places(server: Guard):
    reach, at = ask(server, "api/runs/shipped:cgan/rooms/latent")["reach"], "api/runs/shipped:cgan/rooms/latent"
    lattice = pixels(ask(server, f"{at}?lattice=1&class=3")["picture"]).astype(int)
    assert lattice.shape == (9 * 28, 9 * 28)
    for row, column in ((0, 0), (2, 7)):
        x, y = ((2 * column + 1) / 9 - 1) * reach, (1 - (2 * row + 1) / 9) * reach
        image = pixels(ask(server, f"{at}?x={x}&y={y}&class=3")["picture"])
        tile = lattice[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        assert np.abs(tile - image).max() <= 1
    other = pixels(ask(server, f"{at}?lattice=1&class=4")["picture"])
    assert (other != lattice).any()


def test_what_is_drawn_for_a_run_without_samples(server: Guard):
    sheet = pixels(ask(server, "api/runs/shipped:cgan/rooms/latent?sheet=1")["picture"])
    assert sheet.shape == (5 * 29 + 1, 10 * 29 + 1)  # a column each class
    zero = mg.random.generator(0).standard_normal((50, 100), dtype=np.float32)[0]
    numbers = ",".join(f"{value:.9g}" for value in zero)
    first = pixels(ask(server, f"api/runs/shipped:cgan/rooms/latent?z={numbers}&class=0")["picture"])
    assert np.abs(sheet[1:29, 1:29].astype(int) - first).max() <= 1
    texts = [ask(server, "api/runs/gpt/rooms/symbols?sheet=1")["text"] for _ in range(2)]
    assert texts[0] == texts[1] and len(texts[0]) == 400
    rooms = {"shipped:dcgan": "latent", "shipped:gpt": "symbols", "vae": None, "glove": None}
    assert {name: ask(server, f"api/runs/{name}")["draws"] for name in rooms} == rooms


def test_a_mixture_of_noises_is_as_much_noise_as_each(runs: Path):
    room = Latent(RunFolder.open(runs / "ddpm"))
    places = [room.place({"x": str(x), "y": str(y)}) for x, y in ((0, 0), (1, 2), (50, -3))]
    lengths = [np.linalg.norm(z) / np.sqrt(room.size) for z in places]
    np.testing.assert_allclose(lengths, 1, atol=0.06)


# ---------------------------------------------------------------- diffusion, text, words


@pytest.mark.parametrize("name", ["ddpm", "flow_matching"])
def test_a_walk_ends_in_what_the_model_samples(server: Guard, runs: Path, name: str):
    frames = ask(server, f"api/runs/{name}/rooms/walk?n=2&steps=3&seed=5&class=4")["frames"]
    run, module = RunFolder.open(runs / name), load_model(name)
    expected = module.sample(run, module.Request(n=2, steps=3, class_="4"), mg.random.generator(5))
    last = pixels(frames[-1])
    assert len(frames) == 4
    for i in range(2):
        np.testing.assert_allclose(last[1:29, 1 + 29 * i : 29 + 29 * i], expected[i, ..., 0] * 255, atol=1)


@pytest.mark.parametrize("name", ["gpt", "char_rnn"])
def test_the_next_symbols_are_the_models_own(server: Guard, runs: Path, name: str):
    found = ask(server, f"api/runs/{name}/rooms/symbols?prompt=hello")
    run = RunFolder.open(runs / name)
    model = load_model(name).load(run).eval()
    with mg.no_grad():
        logits = model(saved_tokenizer(run).encode("hello")[None])
    logits = (logits[0] if name == "char_rnn" else logits).numpy()[0]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    best = p[-1].argmax()
    assert found["next"][0][0] == saved_tokenizer(run).decode(np.array([best]))
    assert found["next"][0][1] == pytest.approx(p[-1, best], rel=1e-4)
    e = saved_tokenizer(run).encode("e")[0]
    assert found["surprise"][0] is None and found["surprise"][1] == pytest.approx(-np.log(p[0, e]), abs=1e-3)
    assert len(found["symbols"]) == 5


def test_heads_of_gpt_look_back_only_and_cells_of_char_rnn_are_its_state(server: Guard, runs: Path):
    weights = np.array(ask(server, "api/runs/gpt/rooms/symbols?prompt=hello")["attention"])
    assert weights.shape == (2, 4, 5, 5)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=5e-3)
    assert (np.triu(weights, 1) == 0).all()
    found = ask(server, "api/runs/char_rnn/rooms/symbols?prompt=hello&cell=3")
    model = load_model("char_rnn").load(RunFolder.open(runs / "char_rnn")).eval()
    ids = saved_tokenizer(RunFolder.open(runs / "char_rnn")).encode("hello")
    with mg.no_grad():
        states, _ = model.recurrent(ids[None], None, embedding=model.embedding.weight)
    np.testing.assert_allclose(found["values"], states.numpy()[0, :, 3], atol=1e-3)
    assert found["cell"] == 3


def test_a_prompt_may_be_empty_and_longer_than_the_context(server: Guard):
    for prompt in ("", "a" * 300):
        assert ask(server, f"api/runs/gpt/rooms/symbols?prompt={prompt}&cell=0")["next"]
    texts = {ask(server, "api/runs/gpt/rooms/symbols?prompt=hello&write=20&seed=1")["text"] for _ in range(2)}
    assert len(texts) == 1 and len(texts.pop()) == 20
    assert len(ask(server, "api/runs/char_rnn/rooms/symbols?prompt=&write=20")["text"]) == 20


def test_words_are_near_as_the_model_says(server: Guard, runs: Path):
    words = load_model("glove").vectors(RunFolder.open(runs / "glove"))
    about, a, b = ask(server, "api/runs/glove/rooms/words"), *words.words[5:7]
    assert about["words"][:60] == list(words.words[:60]) and len(about["points"]) == len(about["words"])
    found = ask(server, f"api/runs/glove/rooms/words?prompt={a} - {b}&n=3")
    assert [word for word, _ in found["near"]] == [word for word, _ in words.solve({a: 1.0, b: -1.0}, 3)]


# ---------------------------------------------------------------- maps


@pytest.fixture(scope="module")
def maps() -> Maps:
    """The shipped classifier's, on its third test image."""
    room = Maps(RunFolder.open(SHIPPED / "classifier"))
    room.ask({"image": "3", "output": "0"})
    return room


def test_all_layers_are_shown_and_the_probabilities_are_the_models(server: Guard):
    found = ask(server, "api/runs/shipped:classifier/rooms/maps?image=3")
    model = mg.load("classifier")
    x, label = image_of_test_set(RunFolder.open(SHIPPED / "classifier"), 3)
    p = mg.softmax(model(mg.tensor(model.preprocessing(x)))).detach().numpy()[0]
    np.testing.assert_allclose(found["probabilities"], p, atol=1e-4)
    assert found["label"] == label and len(found["maps"]) == len(list(model.network))
    where = "&".join(f"{name}={value}" for name, value in found["maps"][0]["largest"].items())
    largest = ask(server, f"api/runs/shipped:classifier/rooms/maps?image=3&layer=0&{where}")["value"]
    assert largest == model.network[0](mg.tensor(model.preprocessing(x))).detach().numpy().max()
    about = ask(server, "api/runs/shipped:classifier/rooms/maps")
    assert pixels(about["filters"]).shape == (2 * 4 + 1, 16 * 4 + 1)


def test_the_products_of_a_window_make_the_number(maps: Maps):
    rng = mg.random.generator(0)
    for i, layer in enumerate(maps.layers):
        x, y = maps.values[i].data[0], maps.values[i + 1].data[0]
        for _ in range(5):
            at = tuple(int(rng.integers(0, n)) for n in y.shape)
            if isinstance(layer, layers.Conv2d):
                bias = 0.0 if layer.bias is None else float(layer.bias.data[at[2]])
                assert products(layer, x, at).sum() + bias == pytest.approx(float(y[at]), abs=1e-4)
            if isinstance(layer, layers.MaxPool2d):
                assert np.nanmax(window(layer, x, at)) == y[at]


def test_what_every_place_gives_back_makes_the_gradient(maps: Maps):
    """Summed over the places of a convolution's result, g · weights is the gradient of its input."""
    i = next(i for i, layer in enumerate(maps.layers) if isinstance(layer, layers.Conv2d) and i > 0)
    layer, g, x = maps.layers[i], maps.gradients[i + 1][0], maps.values[i].data[0]
    assert isinstance(layer, layers.Conv2d)
    row, column, c = 5, 6, 2
    total = 0.0
    for r in range(row - 1, row + 2):
        for s in range(column - 1, column + 2):
            total += float((g[r, s] * layer.weight.data[row - r + 1, column - s + 1, c]).sum())
    assert total == pytest.approx(float(maps.gradients[i][0][row, column, c]), rel=1e-3, abs=1e-6)
    lines = backward(layer, x, (row, column, 0), 2.0)
    assert any("g · weights" in line.get("title", "") for line in lines)


def test_every_layer_explains_any_of_its_numbers(maps: Maps):
    for i in range(len(maps.layers)):
        shape = maps.values[i + 1].shape[1:]
        names = ("row", "column", "channel") if len(shape) == 3 else ("channel",)
        found = maps.ask({"image": "3", "output": "0", "layer": str(i), **dict.fromkeys(names, "0")})
        assert found["forward"] and found["backward"] and np.isfinite(found["value"])


def test_where_outputs_are_maps_the_gradient_is_of_a_whole_one():
    room = Maps(RunFolder.open(SHIPPED / "classifier"))
    room.layers = room.layers[:2]
    room.names = None
    room.run_through(3, 5)
    expected = np.zeros((28, 28, 32))
    expected[..., 5] = 1
    np.testing.assert_array_equal(room.gradients[-1][0], expected)
    assert len(Maps(RunFolder.open(SHIPPED / "cgan")).ask({"image": "1"})["maps"]) == 7


# ---------------------------------------------------------------- the rest


def test_looks_are_the_weights_by_which_values_are_summed():
    rng = mg.random.generator(0)
    attention = layers.MultiHeadAttention(6, 2, rng=rng)
    x = mg.randn(2, 4, 6, rng=rng)
    looks = Looks()
    with mg.no_grad(), observe(looks):
        y = attention(x, is_causal=True)
        attention(x[:, :2], context=x, mask=np.array([[True, True, False, False]] * 2))
    causal, masked = looks.weights
    v = attention.qkv(x).detach().numpy()[..., 12:].reshape(2, 4, 2, 3).transpose(0, 2, 1, 3)
    summed = (causal @ v).transpose(0, 2, 1, 3).reshape(2, 4, 6)
    np.testing.assert_allclose(attention.out(mg.tensor(summed)).detach().numpy(), y.numpy(), atol=1e-5)
    assert masked.shape == (2, 2, 2, 4) and (masked[..., 2:] == 0).all()


def test_the_game_in_the_plane_finds_all_clusters():
    game = Plane()
    game.begin({"data": "two", "seed": "1"})
    before = game.picture()
    game.ask({"do": "step", "n": "200"})
    after = game.ask({"do": "step", "n": "100"})
    assert before["losses"] == [None, None] and all(map(np.isfinite, after["losses"]))
    assert before["step"] == 0 and after["step"] == 300
    near = [min(abs(x - 1.3), abs(x + 1.3)) + abs(y) < 0.5 for x, y in after["fake"]]
    assert np.mean(near) > 0.5
    assert len(after["arrows"]) == 80 and np.shape(after["field"]) == (24, 24)
    assert game.ask({"do": "new", "data": "ring"})["step"] == 0


def test_the_same_game_twice_and_one_that_diverges():
    pictures, game = [], Plane()
    for _ in range(2):
        game.begin({"seed": "4", "loss": "hinge"})
        pictures.append(game.ask({"do": "step", "n": "5"}))
    assert pictures[0] == pictures[1]
    game.begin({"g_lr": "1", "d_lr": "1", "loss": "least-squares"})
    assert np.isfinite(np.array(game.ask({"do": "step", "n": "30"})["fake"])).all()


def test_what_is_kept_is_made_anew_when_the_checkpoint_changes(tmp_path: Path):
    run = RunFolder(tmp_path, "vae", {})
    made = Kept(lambda run, name: object(), most=2)
    first = made.get(run, "a")
    assert made.get(run, "a") is first
    run.checkpoint_path.write_bytes(b"new")
    assert made.get(run, "a") is not first
    for name in "bcd":
        made.get(run, name)
    assert len(made.held) == 2

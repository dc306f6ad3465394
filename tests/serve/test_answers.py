"""What is answered is what minigen itself computes: classes, images, texts; and what is malformed is named."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serve_helpers import Address, served

import minigen as mg
from minigen import data
from minigen.catalog import load_model, open_run
from minigen.errors import ArgumentError, CheckpointError
from minigen.plots import sheets
from minigen.serve import Server
from minigen.serve.fields import LONGEST, fields_of, read_fields
from minigen.serve.pictures import MOST, PIXELS
from minigen.training import RunFolder


def png_of(pixels: np.ndarray, **options: Any) -> str:
    """A picture of uint8 as base64 of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return base64.b64encode(file.getvalue()).decode()


def pixels_of(text: str) -> np.ndarray:
    """The pixels of a PNG in base64."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text, validate=True))))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Ten test images, uint8 (10, 28, 28), and the probabilities that the classifier gives them."""
    images, model = data.mnist("test").images[:10], mg.load("classifier")
    with mg.no_grad():
        p = mg.softmax(model(mg.tensor(model.preprocessing(images)))).numpy()
    return images[..., 0], p


def test_predictions_are_the_models_own(classifier: Address, digits: tuple[np.ndarray, np.ndarray]):
    images, p = digits
    found = classifier.good("/predict", images=(images / 255).tolist())
    assert found["classes"] == [str(i) for i in range(10)]
    given = np.array([one["probabilities"] for one in found["predictions"]])
    np.testing.assert_allclose(given, p, atol=2e-6)
    assert [int(one["class"]) for one in found["predictions"]] == p.argmax(1).tolist()
    assert [one["probability"] for one in found["predictions"]] == given.max(1).tolist()


def test_pictures_are_read_as_lists_are(classifier: Address, digits: tuple[np.ndarray, np.ndarray]):
    images, _ = digits
    lists = classifier.good("/predict", images=(images[:3] / 255).tolist())
    files = [png_of(image) for image in images[:3]]
    assert classifier.good("/predict", images=files) == lists
    address = "data:image/png;base64," + files[1]
    assert classifier.good("/predict", images=address)["predictions"] == lists["predictions"][1:2]
    large = png_of(images[1].repeat(4, 0).repeat(4, 1))
    (one,) = classifier.good("/predict", images=large)["predictions"]
    assert one["class"] == lists["predictions"][1]["class"]


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (1, 28, 28), (1, 28, 28, 1)])
def test_one_image_may_come_in_any_nesting(classifier: Address, shape: tuple[int, ...]):
    assert len(classifier.good("/predict", images=np.zeros(shape).tolist())["predictions"]) == 1


BLACK = np.zeros((28, 28)).tolist()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (None, "images is missing"),
        ([], "images are 0"),
        (7, "one number"),
        ({}, "images are {}"),
        ([[0.0] * 28] * 27, "27 × 28; send lists of 28 × 28"),
        ([[0.0] * 28, [0.0]], "all of one size"),
        ([["0.5"] * 28] * 28, "lists of 28 × 28 numbers"),
        ([[None] * 28] * 28, "lists of 28 × 28 numbers"),
        ([[255] * 28] * 28, "divide by 255"),
        ([[-0.1] * 28] * 28, "run from -0.1 to -0.1"),
        ([[1e999] * 28] * 28, "is no number"),
        ([[10**400] * 28] * 28, "lists of 28 × 28 numbers"),
        ([BLACK] * (MOST + 1), f"send 1 to {MOST}"),
        (["", png_of(np.zeros((28, 28), np.uint8))], "images[0]"),
        ("!!", "not base64"),
        (base64.b64encode(b"GIF89a").decode(), "images[0] is no PNG"),
        (png_of(np.zeros((28, 28), np.uint8))[:60], "images[0]"),
        ([png_of(np.zeros((1, 1), np.uint8)), png_of(np.zeros((2, PIXELS), np.uint8))], "images[1] has 2 ×"),
    ],
)
def test_images_that_are_none_are_named(classifier: Address, images: Any, words: str):
    answer = classifier.post("/predict", images=images)
    assert answer.status == 400 and words in answer.problem


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b'"images"', b"[" * 100_000, b"{}x", b"1" * 5000])
def test_what_is_no_json_is_told_so(classifier: Address, body: bytes):
    answer = classifier.ask("POST", "/predict", body)
    assert answer.status == 400 and answer.problem


def test_what_can_be_asked_is_told(classifier: Address, cgan: Address, gpt: Address):
    assert set(classifier.ask("GET", "/").json["ask"]) == {"POST /predict"}
    found = cgan.ask("GET", "/").json
    fields = found["ask"]["POST /sample"]["fields"]
    assert (found["model"], set(fields)) == ("cgan", {"n", "class", "seed", "sheet"})
    assert fields["n"] == {"type": "whole number", "default": 16, "what": "images", "from": 1, "to": 400}
    assert fields["class"]["choices"] == [str(i) for i in range(10)]
    assert "temperature" in gpt.ask("GET", "/").json["ask"]["POST /generate"]["fields"]
    assert gpt.ask("GET", "/health").json == {"well": True, "waiting": 0}
    for method, path, status in (("POST", "/sample", 404), ("GET", "/predict", 405), ("GET", "/../recipe.json", 404)):
        answer = classifier.ask(method, path)
        assert answer.status == status and "POST /predict" in answer.problem


def test_samples_are_the_models_own(cgan: Address):
    run = open_run("cgan")
    module = load_model("cgan")
    for given, request in (({"n": 3, "seed": 5}, {"n": 3}), ({"n": 2, "class": 7}, {"n": 2, "class_": "7"})):
        images = module.sample(run, module.Request(**request), mg.random.generator(given.get("seed", 0)))
        found = cgan.good("/sample", **given)
        np.testing.assert_array_equal(pixels_of(found["sheet"]), sheets.image_grid(images)[..., 0])
        alone = cgan.good("/sample", sheet=False, **given)["images"]
        np.testing.assert_array_equal(
            np.stack([pixels_of(one) for one in alone]), sheets.to_pixels(images, (0, 1), "test")[..., 0]
        )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n": 0}, "n is 0; use a whole number from 1 to 400"),
        ({"n": 401}, "n is 401"),
        ({"n": 2.5}, "n is 2.5"),
        ({"n": True}, "n is True"),
        ({"n": "2"}, "n is '2'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**60}, "use a whole number from 0 to 9,007,199,254,740,991"),
        ({"class": "ten"}, "class is 'ten'; use 0, 1, 2"),
        ({"class": 10}, "class is 10"),
        ({"class": [1]}, "class is [1]"),
        ({"sheet": 1}, "sheet is 1; use true or false"),
        ({"sede": 1}, "no field 'sede' here; did you mean seed?"),
        ({"pictures": "/etc"}, "no field 'pictures' here; known are n, class, seed, sheet"),
    ],
)
def test_fields_that_are_wrong_are_named(cgan: Address, fields: dict[str, Any], words: str):
    answer = cgan.post("/sample", **fields)
    assert answer.status == 400 and words in answer.problem


def test_texts_are_the_models_own(gpt: Address):
    module = load_model("gpt")
    request = module.Request(prompt="To be", n=20, temperature=0.5, top_k=4)
    text = "".join(module.generate(open_run("gpt"), request, mg.random.generator(3)))
    assert gpt.good("/generate", prompt="To be", n=20, temperature=0.5, top_k=4, seed=3) == {"text": text, "seed": 3}
    assert gpt.good("/generate", n=1, top_k=None)["text"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "naïve"}, "prompt: CharTokenizer: 'ï'"),
        ({"prompt": "a" * (LONGEST + 1)}, "prompt has 2,001 characters"),
        ({"prompt": "\ud800"}, "prompt has half a surrogate pair"),
        ({"prompt": ["a"]}, "prompt is ['a']; use a text"),
        ({"temperature": -1}, "temperature is -1"),
        ({"top_p": 0}, "top-p is 0"),
        ({"n": 10**9}, "n is 1000000000; use a whole number from 1 to 2,000"),
    ],
)
def test_prompts_that_are_wrong_are_named(gpt: Address, fields: dict[str, Any], words: str):
    answer = gpt.post("/generate", **fields)
    assert answer.status == 400 and words in answer.problem


@pytest.mark.parametrize(
    ("model", "fields", "path", "question"),
    [
        ("sequential_mnist", {"hidden": 8}, "/predict", {"images": [BLACK, BLACK]}),
        ("translate", {"dim": 16, "steps": 1}, "/generate", {"prompt": "12 may 1999", "beam": 2}),
    ],
)
def test_other_models_answer(trained: Any, model: str, fields: dict[str, Any], path: str, question: dict[str, Any]):
    with served(Server(trained(model, **fields), 1e6)) as address:
        found = address.good(path, **question)
    assert found.get("text") or found.get("sheet") or len(found["predictions"]) == 2


def test_fields_have_the_limits_that_are_told():
    fields = fields_of(load_model("flow_matching").Request)
    given = {"steps": 1000, "guidance": -2, "sampler": "midpoint", "class": "a"}
    assert read_fields(fields, given) == {"n": 100, **given}
    about = fields["steps"].about()
    assert (about["type"], about["from"], about["to"]) == ("whole number", 1, 1000)
    for name, value, words in (
        ("steps", 1001, "whole number from 1 to 1,000"),
        ("guidance", 1e3, "number from -100 to 100"),
        ("sampler", "heun", "sampler is 'heun'; use euler, midpoint"),
        ("sampler", 0, "sampler is 0; use euler, midpoint"),
    ):
        with pytest.raises(ArgumentError, match=words):
            read_fields(fields, {name: value})


def test_a_run_that_can_not_be_asked_is_refused_at_the_start(trained: Any, tmp_path: Path):
    with pytest.raises(ArgumentError, match="autoencoder can not be asked over HTTP"):
        Server(trained("autoencoder", hidden=8))
    (tmp_path / "recipe.json").write_text(json.dumps({"model": "classifier", "recipe": {}}))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Server(RunFolder.open(tmp_path))


def test_a_run_that_is_damaged_later_is_told_without_its_place(
    trained: Any, capsys: pytest.CaptureFixture[str], digits: tuple[np.ndarray, np.ndarray]
):
    run = trained("classifier")
    with served(Server(run, 1e6)) as address:
        assert address.post("/predict", images=BLACK).status == 200
        run.checkpoint_path.write_bytes(run.checkpoint_path.read_bytes()[:-5])
        answer = address.post("/predict", images=BLACK)
    assert answer.status == 503 and str(run.path) not in answer.problem
    assert str(run.checkpoint_path) in capsys.readouterr().err

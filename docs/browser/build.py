"""Puts the page together that runs exported models in a browser: `python docs/browser/build.py [OUT]`.

OUT (default: site/html/browser) then holds plain files, to be served by any web server, such as python -m http.server.
The models are those that come with minigen, exported now; a VAE of your own, on images of 28 × 28, by --vae FOLDER.
onnxruntime-web, 14 MB, is fetched by npm once, into build/; it is not part of this repository.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from minigen import data, flags
from minigen.catalog import open_run
from minigen.cli.export import export
from minigen.errors import ArgumentError, MinigenError
from minigen.pages import server
from minigen.pages.rooms.latent import POINTS, Latent

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RUNTIME = "onnxruntime-web-1.30.0.tgz"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
TAKEN = {
    "ort.wasm.bundle.min.mjs": "ort.js",
    "ort-wasm-simd-threaded.wasm": "ort.wasm",
}  # named so that servers know them
OWN = ("index.html", "page.css", "page.js", "pad.js", "digits.js")
SHARED = ("base.css", "view.css", "base.js", "room.js")  # with `minigen view`
EXAMPLES = 20  # test images to be read


def build(out: Path, vae: str = "vae", cache: Path = ROOT / "build") -> None:
    """Write the page into a folder. Raises MinigenError, or OSError."""
    archive = runtime(cache)
    (out / "ort").mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as package:
        for name, ours in TAKEN.items():
            source = package.extractfile(f"package/dist/{name}")
            assert source is not None
            with open(out / "ort" / ours, "wb") as file:
                shutil.copyfileobj(source, file)
    for folder, names in ((HERE, OWN), (server.PAGE, SHARED)):
        for name in names:
            shutil.copyfile(folder / name, out / name)
    for run, name in (("classifier", "classifier.onnx"), (vae, "decoder.onnx")):
        export([run, "-o", str(out / name)])
    (out / "about.json").write_text(json.dumps(about(vae)))


def runtime(cache: Path) -> Path:
    """The package of onnxruntime-web, fetched unless it is there. Raises ArgumentError."""
    archive = cache / RUNTIME
    if not archive.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        name = RUNTIME.removesuffix(".tgz").replace("web-", "web@")
        npm = shutil.which("npm")
        if npm is None:
            raise ArgumentError(f"npm is missing; install Node.js, or put {RUNTIME} into {cache}")
        command = [npm, "pack", name, "--silent", "--pack-destination", str(cache)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            reason = " ".join(done.stderr.split())[:300]
            raise ArgumentError(f"npm can not fetch {name} ({reason}); or put {RUNTIME} into {cache}")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise ArgumentError(f"{archive} is not the file that it should be; remove it, and it is fetched anew")
    return archive


def about(vae: str) -> dict[str, Any]:
    """What the page has to know: classes, some test images, and a plane in the space of the VAE's hidden numbers."""
    room = Latent(open_run(vae))
    if room.encode is None or room.images is None or room.codes is None or room.labels is None or room.classes:
        raise ArgumentError(f"{vae}: the page shows a VAE of images with classes, not told what they are; use another")
    x, *_ = room.images[:POINTS]
    z, labels = room.encode(x, None), np.array(room.labels)
    middles = [z[labels == label].mean(0) for label in range(len(room.images.classes))]
    plane = {
        "centre": room.centre.tolist(),
        "axes": room.axes.tolist(),
        "span": room.span,
        "points": np.round(room.codes, 3).tolist(),
        "labels": room.labels,
        "middles": [middle.tolist() for middle in middles],
        "classes": list(room.images.classes),
    }
    digits = data.mnist("test")
    assert digits.labels is not None
    examples = [
        {"label": int(label), "pixels": image.reshape(-1).tolist()}
        for image, label in zip(digits.images[:EXAMPLES], digits.labels[:EXAMPLES], strict=True)
    ]
    return {"classes": list(digits.classes), "examples": examples, "plane": plane}


def main(argv: list[str]) -> int:
    """The command."""
    parser = flags.Parser(prog="python docs/browser/build.py", description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "site" / "html" / "browser", metavar="OUT")
    parser.add_argument(
        "--vae", default="vae", metavar="FOLDER", help="a run of vae (default: the one that comes along)"
    )
    try:
        arguments = parser.parse(argv)
        build(arguments.out, arguments.vae)
    except (MinigenError, OSError, subprocess.TimeoutExpired) as error:
        print(f"build: error: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    print(f"{arguments.out}: {size / 1e6:.1f} MB; look at it: python -m http.server --directory {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

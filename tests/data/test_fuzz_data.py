"""Damaged and odd data, by the seed: each case loads to the right values, or raises a MinigenError of one line.

Never another exception, never more than 4 GB, never more than 20 seconds. `-m slow` runs 1,280 cases, the usual run
40.
"""

import csv
import gzip
import io
import os
import resource
import signal
import struct
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigen import data
from minigen.data import idx
from minigen.errors import MinigenError

SECONDS, GB = 20, 2**20  # of ru_maxrss, in KB
Make = Callable[[Path, np.random.Generator], Callable[[], None]]


def images_and_labels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    count = int(rng.integers(4, 30))
    return rng.integers(0, 256, (count, 4, 5), np.uint8), rng.integers(0, 3, count).astype(np.uint8)


def damaged(raw: bytes, rng: np.random.Generator, head: int = 64) -> bytes:
    """Some bytes changed, most of them near the beginning; cut; lengthened; a piece repeated; or nothing."""
    out = bytearray(raw)
    for _ in range(int(rng.integers(0, 4))):
        kind, at = (
            rng.integers(0, 6),
            int(rng.integers(0, max(len(out) if rng.random() < 0.5 else min(head, len(out)), 1))),
        )
        if kind == 0 and out:
            out[at] = int(rng.integers(0, 256))
        elif kind == 1 and out:
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            del out[at:]
        elif kind == 3:
            out += rng.bytes(int(rng.integers(1, 200)))
        elif kind == 4:
            out[at : at + 4] = struct.pack(">I", int(rng.choice([0, 1, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1])))
        else:
            out[at:at] = out[at : at + int(rng.integers(1, 50))]
    return bytes(out)


def loaded(path: Path, size: int | None = None) -> tuple[data.ImageDataset, data.ImageDataset]:
    """Both parts, sound in themselves."""
    parts = data.load(path, "train", size=size), data.load(path, "test", size=size)
    assert parts[0].classes == parts[1].classes and parts[0].image_shape == parts[1].image_shape
    for part in parts:
        x = part[:][0]
        assert x.dtype == np.float32 and x.shape[0] == len(part) > 0 and x.min() >= 0 and x.max() <= 1
        if part.labels is not None:
            assert part.labels.min() >= 0 and part.labels.max() < len(part.classes)
    return parts


def same_rows(path: Path, oracle: Callable[[], np.ndarray]) -> None:
    """The images at a path are those of an oracle, (N, …), in whatever order."""
    found = np.concatenate([part.images for part in loaded(path)])
    expected = oracle()
    assert len(found) == len(expected)
    rows = [sorted(np.ascontiguousarray(image).tobytes() for image in images) for images in (found, expected)]
    assert rows[0] == rows[1]


# ---------------------------------------------------------------- the kinds: each makes a case, and gives its check


def idx_files(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    x, y = images_and_labels(rng)
    packed = rng.random() < 0.5
    for name, array in zip(idx.file_names("train"), (x, y), strict=True):
        idx.write(folder / name, array)
        raw = (folder / name).read_bytes()
        raw = gzip.compress(damaged(raw, rng, 20)) if packed and rng.random() < 0.7 else damaged(raw, rng, 20)
        if packed and rng.random() < 0.3:
            raw = damaged(raw, rng)
        (folder / name).unlink()
        (folder / (name + ".gz" * packed)).write_bytes(raw)

    def oracle() -> np.ndarray:
        (images,) = [path for path in folder.iterdir() if "images" in path.name]
        raw = images.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        shape = struct.unpack(">3I", raw[4:16])
        return np.frombuffer(raw[16:], np.uint8).reshape(shape)

    return lambda: same_rows(folder, oracle)


def archive(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    x, y = images_and_labels(rng)
    arrays = {"images": [x, x / 255, x.astype(np.int32), x[..., None], x > 99][rng.integers(0, 5)], "labels": y}
    path = folder / "own.npz"
    if rng.random() < 0.3:
        arrays["labels"] = rng.choice(["cat", "dog"], len(x))
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asfortranarray(array) if rng.random() < 0.2 else array)
        members[name] = buffer.getvalue()
    inside = rng.random() < 0.6
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as file:
        for name, raw in members.items():
            file.writestr(f"{name}.npy", damaged(raw, rng, 128) if inside else raw)
    if not inside:
        raw = path.read_bytes()
        path.write_bytes(damaged(raw, rng, len(raw)))

    def oracle() -> np.ndarray:
        images = np.load(path)["images"]
        images = images * np.uint8(255) if images.dtype == bool else images
        return images.astype(np.float32 if images.dtype.kind == "f" else np.uint8)

    return lambda: same_rows(path, oracle)


def array_file(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    x, _ = images_and_labels(rng)
    path = folder / str(rng.choice(["images.npy", "x.npy", "foo.npy"]))
    np.save(path, x)
    path.write_bytes(damaged(path.read_bytes(), rng, 128))
    return lambda: same_rows(path if rng.random() < 0.5 or path.stem == "foo" else folder, lambda: np.load(path))


def table(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    count = int(rng.integers(3, 20))
    cells = np.c_[rng.integers(0, 3, count), rng.integers(0, 256, (count, 16))].astype(str).tolist()
    if rng.random() < 0.7:
        cells.insert(0, ["label", *(f"pixel{i}" for i in range(16))])
    for _ in range(int(rng.integers(0, 3))):
        row = cells[int(rng.integers(0, len(cells)))]
        odd = ["", "nan", "inf", "-1", "256", "1e400", "0x10", "ten", '"', "1;2", "\0", "½", "1" * 400, " 7 ", "7.5"]
        row[int(rng.integers(0, len(row)))] = str(rng.choice(odd))
        if rng.random() < 0.2:
            del row[int(rng.integers(0, len(row))) :]
    text = str(rng.choice(["\n", "\r\n"])).join(map(str(rng.choice([",", ";", "\t"])).join, cells))
    raw = text.encode()
    path = folder / str(rng.choice(["train.csv", "digits.csv"]))
    path.write_bytes(damaged(raw, rng, len(raw)) if rng.random() < 0.4 else raw)

    def check() -> None:
        parts = loaded(path)
        text = path.read_bytes().decode("utf-8-sig", "replace")
        delimiter = max(",;\t", key=text.splitlines()[0].count)
        rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(cell.strip() for cell in row)]
        assert len(rows) - 1 <= len(parts[0]) + len(parts[1]) <= len(rows)

    return check


def pictures(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    names = []
    for i in range(4):
        mode, suffix = str(rng.choice(["L", "RGB", "RGBA", "P", "1", "CMYK", "I;16"])), ".png"
        if mode != "I;16":
            suffix = str(rng.choice([".png", ".jpg", ".gif", ".bmp", ".webp", ".tif", ".ppm"]))
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        picture = Image.fromarray(pixels)
        if mode == "I;16":
            picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        else:
            allowed = {".jpg": ("L", "RGB", "CMYK"), ".ppm": ("L", "RGB", "1"), ".bmp": ("L", "RGB", "P", "1")}
            picture = picture.convert(mode if mode in allowed.get(suffix, ("L", "RGB", "P", "1")) else "RGB")
        names.append(folder / f"{'ab'[i % 2]}" / f"{i}{suffix}")
        names[-1].parent.mkdir(exist_ok=True)
        picture.save(names[-1])
    whole = [data.image_folder(folder).images, data.image_folder(folder, size=5).images]
    chosen = names[int(rng.integers(0, 4))]
    before = chosen.read_bytes()
    chosen.write_bytes(damaged(before, rng))

    def check() -> None:
        parts = loaded(folder, 5 if rng.random() < 0.3 else None)
        if chosen.read_bytes() == before:
            found = np.concatenate([part.images for part in parts])
            expected = next(images for images in whole if images.shape == found.shape)
            assert sorted(map(bytes, found)) == sorted(map(bytes, expected))

    return check


WORDS = [
    "train",
    "Training",
    "test",
    "TEST",
    "val",
    "valid",
    "cats",
    "dogs",
    "images",
    "data",
    "__MACOSX",
    ".git",
    "x\ny",
]


def folders(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    places = [folder]
    for _ in range(int(rng.integers(1, 9))):
        place = places[int(rng.integers(0, len(places)))] / str(rng.choice(WORDS))
        place.mkdir(exist_ok=True)
        places.append(place)
    for i in range(int(rng.integers(0, 14))):
        place, kind = places[int(rng.integers(0, len(places)))], int(rng.integers(0, 14))
        if kind < 10:
            side = 9 if rng.random() < 0.02 else 8
            Image.new("L", (8, side), 60).convert("L" if rng.random() < 0.9 else "RGB").save(place / f"{i}.png")
        elif kind == 10:
            (place / str(rng.choice([".DS_Store", "._1.png", "Thumbs.db", "notes.txt", "a.csv"]))).write_bytes(b"\0\1")
        elif kind == 11 and not (place / "pipe.png").exists():
            os.mkfifo(place / "pipe.png")
        elif kind == 12 and not (place / "loop").exists():
            (place / "loop").symlink_to(folder)
        else:
            (place / f"{i}.jpg").symlink_to(place / "nowhere")

    def check() -> None:
        parts = loaded(folder)
        assert all((part.images == 60).all() for part in parts)

    return check


def several(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    """Arrays by odd names, of odd kinds, in an archive or in files."""
    x, y = images_and_labels(rng)
    kinds = [x, x / 255, x.astype(complex), x / np.nan, -x.astype(int), x[:0], x[..., :0], x[0], x.reshape(len(x), -1)]
    kinds += [np.array([None] * 3), x.astype(str), np.zeros(3, [("a", "i4")]), np.float32(3), x[:, None], x[..., None]]
    labels = [y, y * 0.5, y.astype(str), y[:-1], y[:, None], np.eye(4)[y], y.astype(np.int64) * 10**7, -y.astype(int)]
    labels += [y / np.nan, np.full(len(y), 2**64 - 1, np.uint64), y.astype("S3"), np.array(["\ud800"] * len(y))]
    names = [
        "images",
        "x_train",
        "X",
        "data",
        "train_images",
        "arr_0",
        "foo",
        "labels",
        "y",
        "y_train",
        "arr_1",
        "x_test",
    ]
    with np.errstate(all="ignore"):
        arrays = {
            str(name): (kinds if rng.random() < 0.5 else labels)[int(rng.integers(0, 12))]
            for name in rng.choice(names, int(rng.integers(1, 4)), replace=False)
        }
        first = str(rng.choice(["images", "x_train", "arr_0"]))
        arrays = {first: x if rng.random() < 0.6 else kinds[int(rng.integers(0, len(kinds)))], **arrays}
    if rng.random() < 0.5:
        np.savez(folder / "own.npz", **arrays)
        return lambda: (loaded(folder / "own.npz"), None)[1]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return lambda: (loaded(folder), None)[1]


def text(folder: Path, rng: np.random.Generator) -> Callable[[], None]:
    pieces = ["To be, or not to be", "\n", "\r\n", "\r", "ñé", "😀", "\ufeff", "\0", "\x1b", " ", "\u2028"]
    raw = "".join(rng.choice(pieces, int(rng.integers(0, 60)))).encode()
    raw = raw.decode().encode(str(rng.choice(["utf-8", "utf-16", "utf-32"]))) if rng.random() < 0.1 else raw
    raw = damaged(raw, rng, len(raw)) if rng.random() < 0.7 else raw
    raw = gzip.compress(raw) if rng.random() < 0.1 else raw
    path = folder / "own.txt"
    path.write_bytes(raw)

    def check() -> None:
        found = data.load_text(path)
        expected = raw.removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n").replace("\r", "\n")
        assert found == expected and "\0" not in found
        tokenizer = data.CharTokenizer.of(found)
        assert tokenizer.decode(tokenizer.encode(found)) == found

    return check


KINDS: dict[str, Make] = {
    make.__name__: make for make in (idx_files, archive, array_file, table, pictures, folders, several, text)
}


def late(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} seconds")


def cases(kind: str, folder: Path, seeds: range) -> Iterator[str]:
    """Runs cases of a kind; what became of each: "loads" or "refused"."""
    for seed in seeds:
        place = folder / f"{kind}-{seed}"
        place.mkdir()
        check = KINDS[kind](place, np.random.default_rng([seed, *kind.encode()]))
        signal.signal(signal.SIGALRM, late)
        signal.alarm(SECONDS)
        start = time.monotonic()
        try:
            check()
            yield "loads"
        except MinigenError as error:
            assert "\n" not in str(error), f"{kind} {seed}: {error}"
            yield "refused"
        except BaseException as error:
            raise AssertionError(f"{kind}, seed {seed}: {type(error).__name__}: {error}") from error
        finally:
            signal.alarm(0)
        assert time.monotonic() - start < SECONDS


def run(kind: str, folder: Path, seeds: range) -> Counter[str]:
    found = Counter(cases(kind, folder, seeds))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 * GB
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_some_cases(kind: str, tmp_path: Path):
    assert run(kind, tmp_path, range(5)).total() == 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_many_cases(kind: str, tmp_path: Path):
    found = run(kind, tmp_path, range(160))
    print(kind, dict(found))
    assert found["loads"] >= 16 and found["refused"] >= 16

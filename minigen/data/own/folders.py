"""A folder of pictures, however it is arranged: which file belongs to which part, and to which class.

class/x.png    train/class/x.png    class/train/x.png    dataset/Training_Set/images/class/x.png    x.png
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigen.data.limits import check_memory, shown
from minigen.data.own.names import WRAPPERS, is_junk, split_of
from minigen.data.own.parts import SPLIT_NOTE, OwnData, Part
from minigen.data.own.pictures import SUFFIXES, read_picture
from minigen.errors import DataError

DEEPEST = 12  # folders inside each other
MOST_FILES = 5_000_000
OTHERS = 3  # other folders, beside those of a split, that are named


@dataclass(frozen=True)
class Found:
    """One picture file: its path, and the names of the folders between the root and it."""

    path: Path
    folders: tuple[str, ...]


def read_folder(root: Path, size: tuple[int, int] | None, channels: int | None) -> OwnData:
    """The data set in a folder. Raises DataError that names the folder or the file and the mend."""
    found, empty = find_pictures(root)
    if not found:
        raise DataError(f"{shown(root)}: holds no images; it needs files ending in {' '.join(sorted(SUFFIXES))}")
    notes: list[str] = []
    parts = by_split(found, root, notes)
    labelled = {split: by_class(files, notes) for split, files in parts.items()}
    train = labelled.get("train")
    if train is None:
        raise DataError(
            f"{shown(root)}: has a test part, but no folder named train; rename one, or name the folder itself"
        )
    classes = tuple(sorted(set(train[1]) - {""}))
    refuse_empty(root, empty, classes)
    test = labelled.get("test") or labelled.get("validation")
    if test is not None:
        if "test" not in labelled:
            notes.append("its validation part serves as the test part")
        elif "validation" in labelled:
            notes.append(f"its validation part of {len(labelled['validation'][0]):,} images is left aside")
        test = with_known_classes(test, classes, root, notes)
    return read_parts(root, train, test, classes, (size, channels), notes)


# ---------------------------------------------------------------- which files there are


def find_pictures(root: Path) -> tuple[list[Found], list[tuple[str, ...]]]:
    """All picture files below a folder, in order, and the folders that hold neither pictures nor folders.

    Links to folders are followed, once each. Raises DataError for a folder that can not be read.
    """
    found, empty = [], []
    for folder, names, folders in walk(root, (), set()):
        pictures = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
        found += [Found(folder / name, folders) for name in pictures]
        if folders and not pictures and not any(entry.is_dir() for entry in listing(folder)):
            empty.append(folders)
        if len(found) > MOST_FILES:
            raise DataError(f"{shown(root)}: holds more than {MOST_FILES:,} images; use fewer")
    return found, empty


def walk(folder: Path, names: tuple[str, ...], seen: set) -> Iterator[tuple[Path, list[str], tuple[str, ...]]]:
    """(folder, its files, the names of the folders that lead to it), the folder itself first; in order."""
    entries = listing(folder)
    own = os.stat(folder)
    if (own.st_dev, own.st_ino) in seen or len(names) > DEEPEST:
        return
    seen.add((own.st_dev, own.st_ino))
    yield folder, [entry.name for entry in entries if entry.is_file()], names
    for entry in entries:
        if entry.is_dir():
            yield from walk(folder / entry.name, (*names, entry.name), seen)


def listing(folder: Path) -> list[os.DirEntry]:
    """What is in a folder, in order, without what systems leave behind. Raises DataError if it can not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_junk(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{shown(folder)}: can not be read ({error.strerror}); check its permissions") from error


# ---------------------------------------------------------------- parts and classes


def by_split(found: list[Found], root: Path, notes: list[str]) -> dict[str, list[Found]]:
    """The files of each split, without the folder that names it; all of them as "train" where no folders do."""
    level = split_level(found)
    if level is None:
        return {"train": found}
    parts: dict[str, list[Found]] = {}
    others: Counter[str] = Counter()
    for file in found:
        split = split_of(file.folders[level]) if len(file.folders) > level else None
        if split is None:
            others["/".join(file.folders[: level + 1]) or "the folder itself"] += 1
        else:
            parts.setdefault(split, []).append(Found(file.path, file.folders[:level] + file.folders[level + 1 :]))
    if "train" not in parts and len(parts) == 1:  # all that there is
        return {"train": found}
    if others:
        names = ", ".join(shown(name) for name in list(others)[:OTHERS])
        notes.append(f"{sum(others.values()):,} images outside its splits are left aside ({names})")
    return parts


def split_level(found: list[Found]) -> int | None:
    """The depth, from 0, of the folders that are named train, test, … ; None if no depth has them.

    All folders of that depth are so named, or those of train and of another part are among them.
    """
    for level in range(max(len(file.folders) for file in found)):
        names = {file.folders[level] for file in found if len(file.folders) > level}
        splits = {split_of(name) for name in names}
        if None not in splits or ("train" in splits and len(splits - {None}) > 1):
            return level
    return None


def by_class(files: list[Found], notes: list[str]) -> tuple[list[Path], list[str]]:
    """The files of one part, and the class of each, "" where there are none. Folders around all are passed over."""
    paths = [list(file.folders) for file in files]
    while min(map(len, paths)) >= 2 and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]
    if max(map(len, paths)) == 1 and len({tuple(path) for path in paths}) == 1 and paths[0][0].lower() in WRAPPERS:
        paths = [[] for _ in paths]  # one folder, and its name says no class
    classes = [path[0] if path else "" for path in paths]
    if "" in classes and any(classes):
        stray = classes.count("")
        notes.append(f"{stray:,} images beside its class folders are left aside")
        files = [file for file, name in zip(files, classes, strict=True) if name]
        classes = [name for name in classes if name]
    order = sorted(range(len(files)), key=lambda i: (classes[i], files[i].path))
    return [files[i].path for i in order], [classes[i] for i in order]


def refuse_empty(root: Path, empty: list[tuple[str, ...]], classes: tuple[str, ...]) -> None:
    """Raises DataError for a folder without pictures that stands where the folders of classes stand, in train."""
    if not classes:
        return
    for folders in empty:
        splits = {split_of(name) for name in folders[:-1]} - {None}
        if splits <= {"train"} and folders[-1] not in classes and split_of(folders[-1]) is None:
            raise DataError(
                f"{shown(root.joinpath(*folders))}: a class without images; add images or remove the folder"
            )


def with_known_classes(
    test: tuple[list[Path], list[str]], classes: tuple[str, ...], root: Path, notes: list[str]
) -> tuple[list[Path], list[str]] | None:
    """The test part with the classes of train, in whatever case they are written; None if its classes are not known.

    Raises DataError for classes that train does not have.
    """
    files, names = test
    if not classes:
        return files, ["" for _ in names]
    if not any(names):
        notes.append(f"its test part of {len(files):,} images has no class folders and is left aside")
        return None
    folded = {fold(name): name for name in classes}
    names = [name if name in classes else folded.get(fold(name), name) for name in names]
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise DataError(
            f"{shown(root)}: test has the class {', '.join(map(shown, unknown[:5]))}, which train does not have; "
            "rename or remove the folder, or add training images"
        )
    return files, names


def fold(name: str) -> str:
    """A name regardless of case, and of how accents are encoded, which differs between file systems."""
    return unicodedata.normalize("NFC", name).casefold()


# ---------------------------------------------------------------- the pictures


def read_parts(
    root: Path,
    train: tuple[list[Path], list[str]],
    test: tuple[list[Path], list[str]] | None,
    classes: tuple[str, ...],
    form: tuple[tuple[int, int] | None, int | None],
    notes: list[str],
) -> OwnData:
    """Both parts, decoded into one array, train first."""
    numbers = {name: number for number, name in enumerate(classes)}
    files, names = train
    count = len(files)
    if test is not None:
        files, names = files + test[0], names + test[1]
    images = read_all(files, *form, copies=1 if test is not None else 2)
    images.flags.writeable = False
    labels = np.array([numbers[name] for name in names], np.int64) if classes else None
    first, second = (
        Part(images[rows], None if labels is None else labels[rows]) for rows in (slice(0, count), slice(count, None))
    )
    shown_classes = tuple(map(shown, classes))
    if test is not None:
        return OwnData(root.name, first, second, shown_classes, tuple(notes))
    return OwnData(root.name, first, None, shown_classes, (*notes, SPLIT_NOTE))


def read_all(files: list[Path], size: tuple[int, int] | None, channels: int | None, copies: int = 1) -> np.ndarray:
    """All pictures, uint8 (N, H, W, C): grey if all are, or as `channels` says. Raises DataError if sizes differ.

    copies: how many of the array memory must be able to hold.
    """
    first = read_picture(files[0], size, channels)
    images = room(len(files), first.shape, files[0], copies)
    images[0] = first
    for i, file in enumerate(files[1:], 1):
        picture = read_picture(file, size, channels)
        if picture.shape[:2] != first.shape[:2]:
            raise DataError(
                f"{shown(file)}: is {picture.shape[0]}×{picture.shape[1]} pixels, but {shown(files[0].name)} is "
                f"{first.shape[0]}×{first.shape[1]}; use --size N, or size= in Python, to bring all to one size"
            )
        if picture.shape[2] > images.shape[3]:  # the first in colour: those before become RGB
            grey, images = images, room(len(files), picture.shape, file, copies)
            images[:i] = grey[:i]
        images[i] = picture
    return images


def room(count: int, shape: tuple[int, ...], file: Path, copies: int) -> np.ndarray:
    """An array for so many pictures, whose memory is taken as it is filled. Raises DataError if that is too much."""
    height, width, channels = shape
    check_memory(
        f"{shown(file.parent)}: {count:,} images of {height}×{width}",
        count * height * width * channels * copies,
        "use a smaller --size N (size= in Python), or fewer images",
    )
    return np.empty((count, *shape), np.uint8)

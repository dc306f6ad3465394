"""A user's own data by its path, whatever kind it is: decided as a whole, kept while it is asked for again."""

import os
from pathlib import Path

from minigen.data.dataset import ImageDataset
from minigen.data.limits import is_file, is_folder, shown, status
from minigen.data.own.archives import read_archive, read_array_files
from minigen.data.own.folders import listing, read_folder, walk
from minigen.data.own.idx_sets import idx_sets, named_set, read_idx
from minigen.data.own.names import role_of, words
from minigen.data.own.parts import OwnData
from minigen.data.own.pictures import SUFFIXES
from minigen.data.own.tables import read_table, read_tables
from minigen.errors import ArgumentError, DataError

Size = tuple[int, int] | None
PACKED = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2", ".zst"}
KINDS = "a folder of images, a folder of IDX files, a .npz, .npy or .csv file"
kept: dict[tuple, OwnData] = {}  # the latest, since its parts are asked for one after the other


def read_own(path: str | os.PathLike, size: Size = None, channels: int | None = None) -> OwnData:
    """The data set at a path. Raises DataError that says in one line what is off and the mend, ArgumentError for a size
    where the images have one of their own."""
    root = Path(path)
    key = (os.path.realpath(root), size, channels, fingerprint(root))
    if key not in kept:
        kept.clear()
        kept[key] = read(root, size, channels)
    return kept[key]


def fingerprint(root: Path) -> int:
    """A number that changes when a file there does: its name, its length or the time of its last change."""
    if not is_folder(root):
        root = root.parent if status(root) is None or root.suffix.lower() == ".npy" else root
    if not is_folder(root):
        found = status(root)
        return 0 if found is None else hash((found.st_size, found.st_mtime_ns, found.st_ino))
    files = []
    for folder, names, _ in walk(root, (), set()):
        for name in names:
            if (found := status(folder / name)) is not None:
                files.append((str(folder), name, found.st_size, found.st_mtime_ns, found.st_ino))
    return hash(tuple(files))


def read(root: Path, size: Size, channels: int | None) -> OwnData:
    """The same, read anew."""
    suffix = root.suffix.lower()
    if is_folder(root):
        return read_any_folder(root, size, channels)
    if status(root) is None:
        if is_folder(root.parent) and root.parent != root and (found := named_set(root)):
            refuse_size(root, size)
            return read_idx(root, [found])
        raise DataError(f"{shown(root)[:200]}: no such file or folder; give {KINDS}")
    if suffix in (".npz", ".npy", ".csv"):
        refuse_size(root, size)
    if suffix == ".npz":
        return read_archive(root)
    if suffix == ".npy":
        return read_array_files(root, partners(root))
    if suffix == ".csv":
        return read_table(root)
    raise DataError(f"{shown(root)}: {what_it_is(root, suffix)}")


def what_it_is(root: Path, suffix: str) -> str:
    """Why a file is no data set, and the mend."""
    if not is_file(root):
        return f"is a pipe, socket or device; give {KINDS}"
    if suffix in SUFFIXES:
        return "is a single picture; give the folder that it is in"
    if suffix in PACKED:
        return "is packed; unpack it and give the folder"
    if suffix == ".mat":
        return "is of MATLAB, which is not read; get its files in the IDX format, or save its arrays by np.savez"
    return f"is no data set that can be read; give {KINDS}"


def read_any_folder(root: Path, size: Size, channels: int | None) -> OwnData:
    """The data set in a folder: of IDX files, of pictures, of .npy files, of tables, or with one archive in it."""
    if sets := idx_sets(root):
        refuse_size(root, size)
        return read_idx(root, sets)
    kinds: dict[str, list[Path]] = {}
    for folder, names, parents in walk(root, (), set()):
        for name in names:
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES:
                return read_folder(root, size, channels)
            if len(parents) <= 1:
                kinds.setdefault(suffix, []).append(folder / name)
    for suffix, reader in ((".npz", read_one_archive), (".npy", read_array_files), (".csv", read_tables)):
        if suffix in kinds:
            refuse_size(root, size)
            return reader(root, kinds[suffix])
    for suffix, files in kinds.items():
        if suffix in PACKED or suffix == ".mat":
            raise DataError(f"{shown(root)}: holds {shown(files[0].name)}, which {what_it_is(files[0], suffix)}")
    return read_folder(root, size, channels)  # which says that there are no images


def read_one_archive(root: Path, files: list[Path]) -> OwnData:
    """The data set of a folder with one .npz archive."""
    if len(files) > 1:
        names = ", ".join(shown(file.name) for file in files[:5])
        raise DataError(f"{shown(root)}: holds {names}; name one of them")
    return read_archive(files[0])


def partners(path: Path) -> list[Path]:
    """A .npy file, and those of its folder whose names differ from its own only in what is in them and the split."""

    def stem(name: str) -> list[str]:
        return [word for word in words(name) if role_of(word) is None]

    role = role_of(path.stem)
    if role is None:
        return [path]
    others = [Path(entry.path) for entry in listing(path.parent) if entry.name.lower().endswith(".npy")]
    return [other for other in others if role_of(other.stem) is not None and stem(other.stem) == stem(path.stem)]


def refuse_size(root: Path, size: Size) -> None:
    """Raises ArgumentError for a size where the images have one of their own."""
    if size is not None:
        wanted = size[0] if size[0] == size[1] else size
        raise ArgumentError(
            f"load: {shown(root)} has a size of its own; leave out size={wanted} (--size {wanted}), which is for "
            "folders of images"
        )


def as_dataset(own: OwnData, split: str | None, range: tuple[float, float]) -> ImageDataset:
    """One part of a data set, or for None both."""
    part = own.part(split)
    return ImageDataset(part.images, part.labels, own.classes, f"{own.name} {split or ''}".strip(), range, own.notes)

"""What names say: of folders, whether they are a split; of arrays and columns, what is in them and of which split."""

import re

TRAIN = {"train", "training", "trn", "tr", "fit"}
TEST = {"test", "testing", "tst", "eval", "evaluation", "t10k"}
VALIDATION = {"val", "valid", "validation", "validate", "validating", "dev", "cv"}
NOISE = {
    "set",
    "sets",
    "images",
    "image",
    "imgs",
    "img",
    "data",
    "dataset",
    "seg",
    "folder",
    "pictures",
    "split",
    "raw",
}
NOISE |= {"x", "y", "full", "the", "my", "files", "labels", "label", "new"}
IMAGES = {
    "images",
    "image",
    "imgs",
    "img",
    "x",
    "data",
    "dataset",
    "pictures",
    "samples",
    "features",
    "pixels",
    "inputs",
}
LABELS = {"labels", "label", "y", "targets", "target", "classes", "class", "lbl", "gt", "outputs"}
JUNK = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "__pycache__", "$recycle.bin"}
WRAPPERS = {"images", "image", "imgs", "img", "pictures", "photos", "data", "jpg", "png", "jpeg"}


def is_junk(name: str) -> bool:
    """Whether a file or folder is what systems leave behind, or hidden."""
    return name.startswith(".") or name.lower() in JUNK


def words(name: str) -> list[str]:
    """The words of a name, in lower case: Xtrain_images-2 → x, train, images."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    found = re.findall(r"t10k|[a-z]+", spaced.lower())
    return [part for word in found for part in (re.findall(r"^[xy](?=(?:tr|te|va|ts))|.+", word) or [word])]


def split_of(name: str) -> str | None:
    """ "train", "test" or "validation" when a name says a split and nothing else, in any spelling; else None."""
    found = [word for word in words(name) if word not in NOISE]
    if len(set(found)) != 1:
        return None
    return split_word(found[0])


def split_word(word: str) -> str | None:
    """The split that a single word means."""
    for split, known in (("train", TRAIN), ("test", TEST), ("validation", VALIDATION)):
        if word in known:
            return split
    return None


def role_of(name: str) -> tuple[str, str | None] | None:
    """Of an array: ("images" or "labels", the split or None), or None when its name says neither."""
    found = words(name)
    splits = {split for word in found if (split := split_word(word))}
    split = splits.pop() if len(splits) == 1 else None
    rest = [word for word in found if split_word(word) is None]
    if any(word in {"names", "name", "ids", "id"} for word in rest):
        return None
    if any(word in LABELS for word in rest):
        return "labels", split
    if any(word in IMAGES for word in rest) or (split and not rest):
        return "images", split
    return None

"""The run folders that a page shows: those in a folder, and those that come with minigen."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from minigen.catalog import PREFIX, SHIPPED
from minigen.data.limits import is_file, is_folder, shown
from minigen.errors import MinigenError, RunError
from minigen.training import RunFolder
from minigen.training.lock import is_held

T = TypeVar("T")
READ = ("recipe.json", "metrics.csv", "run.json", "checkpoint.safetensors", "alarms.txt", "layers.jsonl", "samples")


class Shelf:
    """Runs by name: the folders inside `root` that are runs, or `root` itself where it is one.

    Links are not followed. The runs that come with minigen are there as "shipped:NAME".
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        self.single = is_file(self.root / "recipe.json")
        self.entries: dict[str, dict[str, Any]] = {}  # as they were made last, by name

    def places(self) -> dict[str, Path]:
        """Every run's folder by its name, the one that was changed last first. Raises RunError for no folder."""
        try:
            found = [self.root] if self.single else list(self.root.iterdir()) if self.root.is_dir() else []
        except OSError as error:
            raise RunError(f"{shown(self.root)} can not be read: {error.strerror}") from error
        own = [folder for folder in found if not folder.is_symlink() and is_file(folder / "recipe.json")]
        own.sort(key=lambda folder: stamp(folder)[1], reverse=True)
        shipped = sorted(folder for folder in SHIPPED.iterdir() if is_file(folder / "recipe.json"))
        return {shown(folder.name): folder for folder in own} | {f"{PREFIX}{path.name}": path for path in shipped}

    def place(self, name: str) -> Path:
        """The folder of the run of that name. Raises RunError when there is none."""
        if name.startswith(PREFIX) and (folder := SHIPPED / name.removeprefix(PREFIX)).parent == SHIPPED:
            found = folder
        elif self.single:
            found = self.root if name == shown(self.root.name) else None
        else:
            found = self.root / name
            if found.parent != self.root or not is_folder(found):
                found = self.places().get(name)  # a name that is shown otherwise than it is
        if found is None or found.is_symlink() or not is_file(found / "recipe.json"):
            raise RunError(f"there is no run {name!r} here any more")
        return found

    def open(self, name: str) -> RunFolder:
        """The run of that name. Raises RunError when there is none, or one of its files is a link."""
        folder = self.place(name)
        for file in READ:
            if (folder / file).is_symlink():
                raise RunError(f"{name}: {file} is a link, which is not followed")
        return RunFolder.open(folder)

    def overview(self) -> list[dict[str, Any]]:
        """Of every run what a list shows, and a stamp that changes with its folder."""
        self.entries = {name: self.entry(name, folder) for name, folder in self.places().items()}
        return list(self.entries.values())

    def entry(self, name: str, folder: Path) -> dict[str, Any]:
        """One run of the list, as before where nothing has changed; one that can not be read says why."""
        mark = "-".join(map(str, stamp(folder)))
        known = self.entries.get(name)
        if known is not None and known["stamp"] == mark:
            return known | {"live": is_held(folder)}
        try:
            run = self.open(name)
        except (MinigenError, OSError) as error:
            return {"name": name, "stamp": mark, "live": False, "problem": str(error)}
        recipe = {key: "none" if value is None else str(value) for key, value in run.recipe.items()}
        found = {"name": name, "model": run.model, "step": run.step, "trained": run.trained, "live": is_held(folder)}
        return found | {"stamp": mark, "recipe": recipe, "own": not name.startswith(PREFIX)}


def stamp(folder: Path) -> tuple[int, int]:
    """Of the files that change in a training: their sizes in all, and the time of the last change in ns."""
    sizes, latest = 0, 0
    for name in READ:
        try:
            found = os.stat(os.path.join(folder, name))  # a thousand runs a second: a Path each would take its time
        except OSError:
            continue
        sizes, latest = sizes + found.st_size, max(latest, found.st_mtime_ns)
    return sizes, latest


class Kept(Generic[T]):
    """What was made of a run's checkpoint, for the few runs that were asked for last; made anew when that changes."""

    def __init__(self, make: Callable[..., T], most: int = 4) -> None:
        self.make, self.most = make, most
        self.held: dict[Any, tuple[Any, T]] = {}

    def get(self, run: RunFolder, *more: Any) -> T:
        """make(run, *more), or what it gave before."""
        key = (run.path, *more)
        found = run.checkpoint_path.stat() if run.checkpoint_path.exists() else None
        mark = found and (found.st_mtime_ns, found.st_size, found.st_ino)
        held = self.held.pop(key, None)
        if held is None or held[0] != mark:
            held = mark, self.make(run, *more)
        self.held[key] = held
        while len(self.held) > self.most:
            del self.held[next(iter(self.held))]
        return held[1]

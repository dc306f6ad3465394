"""What `minigen info` shows: the facts that a report of a problem or of a speed should carry."""

import platform
from importlib import metadata
from pathlib import Path

import numpy as np

import minigen
from minigen import data
from minigen.config import config
from minigen.data.fashion_mnist import search_folders
from minigen.errors import DataError

PACKAGES = ("numpy", "numba", "matplotlib", "safetensors", "rich")


def collect() -> list[tuple[str, str]]:
    """Pairs of name and value, in the order to be shown."""
    return [
        ("minigen", f"{version('minigen')} in {Path(minigen.__file__).parent}"),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *((package, version(package)) for package in PACKAGES),
        ("dtype", str(config.dtype)),
        ("threads", str(config.threads)),
        *kernels(),
        ("simd", simd()),
        ("mnist", mnist()),
        ("fashion-mnist", fashion()),
    ]


def version(package: str) -> str:
    """The installed version of `package`, or "not installed"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def kernels() -> list[tuple[str, str]]:
    """The backend, and where its compiled kernels are kept."""
    if config.backend == "numpy":
        return [("backend", "numpy (plain, asked for by MINIGEN_BACKEND)")]
    try:
        from minigen.kernels.compiler import cache, choice
    except Exception as error:  # a broken installation raises anything
        return [("backend", f"numpy (plain, because Numba can not be used: {error})")]
    folder = cache.cache_folder()
    backend = "numba" if choice.INNER else "numba (its public interface alone, which is slower)"
    return [("backend", backend), ("kernel cache", f"{folder}{'' if folder.exists() else ' (nothing compiled yet)'}")]


def simd() -> str:
    """The processor's vector instructions that NumPy found, weakest first."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return " ".join([*extensions["baseline"], *extensions["found"]])


def mnist() -> str:
    """How many embedded images there are, after their checksums were verified."""
    try:
        return f"{len(data.mnist('train')):,} + {len(data.mnist('test')):,} images, checksums verified"
    except DataError as error:
        return f"damaged: {error}"


def fashion() -> str:
    """Where Fashion-MNIST was found; never downloads."""
    for folder in search_folders():
        if data.idx.has_split(folder, "train") and data.idx.has_split(folder, "test"):
            return str(folder)
    return "not here; downloaded when first used"

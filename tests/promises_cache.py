"""Promises of the cache of compiled kernels; `tests/kernels/test_cache.py` holds them in processes of their own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from promises import Promise, promise

from minigen.kernels.compiler import cache, kept

CASES: list[Promise] = []


def damaged(change: Callable[[bytearray], bytearray]) -> Callable[[Path], None]:
    """A check that a changed file counts as absent."""

    def check(folder: Path) -> None:
        path = folder / "kernel"
        kept.write(path, bytes(range(256)) * 9)
        assert kept.read(path) == bytes(range(256)) * 9
        path.write_bytes(change(bytearray(path.read_bytes())))
        assert kept.read(path) is None

    return check


def flipped(contents: bytearray) -> bytearray:
    contents[1000] ^= 4
    return contents


AGAIN = "the kernel is compiled again"
promise(CASES, "a flipped bit in a compiled kernel on disk", AGAIN)(damaged(flipped))
promise(CASES, "a compiled kernel that was cut short", AGAIN)(damaged(lambda contents: contents[:-1]))
promise(CASES, "an empty file in the place of a compiled kernel", AGAIN)(damaged(lambda contents: contents[:0]))


@promise(CASES, "two files of compiled kernels exchanged", AGAIN)
def exchanged(folder: Path) -> None:
    one, other = folder / "one", folder / "other"
    kept.write(one, b"1")
    kept.write(other, b"2")
    one.rename(folder / "kept")
    other.rename(one)
    (folder / "kept").rename(other)
    assert kept.read(one) is None and kept.read(other) is None


@promise(CASES, "a compiled kernel that others could have written", AGAIN)
def open_to_others(folder: Path) -> None:
    kept.write(folder / "kernel", b"1")
    (folder / "kernel").chmod(0o666)
    assert kept.read(folder / "kernel") is None


@promise(CASES, "a cache folder that others can write", "it is left alone; a private one is used, and said")
def folder_of_all(folder: Path) -> None:
    cache.prepare(folder / "cache")
    (folder / "cache").chmod(0o777)
    with pytest.raises(PermissionError, match="somebody else can write"):
        cache.prepare(folder / "cache")


@promise(CASES, "a cache folder behind a symbolic link", "it is used")
def linked(folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "link").symlink_to(folder / "there")
    cache.prepare(folder / "link" / "cache")
    assert (folder / "there" / "cache" / "used").exists()


@promise(CASES, "an umask that opens new files to all", "compiled kernels are still closed to others")
def open_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        cache.prepare(folder / "cache")
        kept.write(folder / "cache" / "kernel", b"1")
    finally:
        os.umask(before)
    assert kept.read(folder / "cache" / "kernel") == b"1"
    cache.prepare(folder / "cache")

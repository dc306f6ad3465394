"""What is refused is refused before memory is taken: peaks of a process of its own for each input."""

import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from minigen.data import idx, limits, npz
from minigen.errors import DataError

PEAK = """
import resource, sys
from minigen import data
from minigen.errors import DataError
try:
    data.load(sys.argv[1], size=int(sys.argv[2]) or None)
except DataError as error:
    assert "\\n" not in str(error)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(path: Path, size: int = 0) -> int:
    """MB that a process takes to refuse what is there."""
    command = [sys.executable, "-c", PEAK, str(path), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout) // 1024


def png(path: Path, width: int, height: int, colour: int) -> None:
    """A PNG whose header says so, and which has a kilobyte of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)


@pytest.mark.slow
@pytest.mark.parametrize("colour", [0, 2, 3, 6])
@pytest.mark.parametrize("side", [15_800, 65_535])
def test_a_lying_picture(tmp_path, side, colour):
    for name in ("a.png", "b.png"):
        png(tmp_path / name, side, side, colour)
    assert max(peak(tmp_path, 8), peak(tmp_path)) < 4000


@pytest.mark.slow
def test_an_archive_that_unpacks_to_five_gigabytes(tmp_path):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (5000000, 32, 32), }".ljust(117) + b"\n"
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        member.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)
        for _ in range(5120):
            member.write(bytes(1_000_000))
    assert peak(tmp_path / "a.npz") < 1000


def test_the_limit_is_told_with_its_mend(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", images=np.zeros((100, 100, 100), np.uint8))
    monkeypatch.setenv("MINIGEN_DATA_GB", "0.0001")
    with pytest.raises(
        DataError, match=r"images: would take 0.0 GB of memory, .* raise the limit with MINIGEN_DATA_GB"
    ):
        npz(tmp_path / "a.npz")
    idx.write(tmp_path / "a.gz", np.zeros((100, 100, 100), np.uint8))
    with pytest.raises(DataError, match=r"a\.gz: the array that its header promises: would take"):
        idx.read(tmp_path / "a.gz")
    monkeypatch.setenv("MINIGEN_DATA_GB", "rubbish")
    assert 0 < limits.memory_limit() <= limits.MOST


def test_pipes_devices_and_folders_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, match in (
        (tmp_path / "pipe", "pipe"),
        (tmp_path, "folder"),
        (Path("/dev/zero"), "pipe, socket or device"),
    ):
        with pytest.raises(DataError, match=match):
            limits.read_bytes(path)
    with pytest.raises(DataError, match="no such file"):
        limits.read_bytes(tmp_path / "nothing")
    with pytest.raises(DataError, match="can not be read"):
        limits.read_bytes("a\0b")


def test_names_stay_on_one_line():
    assert limits.shown("a\nb\udcff\x1b") == "a\\nb\\udcff\\x1b"

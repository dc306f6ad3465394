"""Where Fashion-MNIST is looked for, and its download from mirrors that fail in every way, all on 127.0.0.1."""

import errno
import gzip
import hashlib
import importlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from minigen.data import fashion_mnist, idx, load
from minigen.data.download import data_cache
from minigen.errors import DataError

module = importlib.import_module("minigen.data.fashion_mnist")  # the package's `fashion_mnist` is the function

ARRAYS = {
    name: (np.arange(np.prod(shape)) % 10).astype(np.uint8).reshape(shape)
    for split, count in (("train", 6), ("test", 3))
    for name, shape in zip(idx.file_names(split), [(count, 28, 28), (count,)], strict=True)
}


def write_files(folder, names=tuple(ARRAYS)):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        idx.write(folder / f"{name}.gz", ARRAYS[name])


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """No file of this machine is seen, and the checksums are those of ARRAYS."""
    write_files(tmp_path / "origin")
    sums = {
        name: hashlib.sha256(gzip.decompress((tmp_path / "origin" / f"{name}.gz").read_bytes())).hexdigest()
        for name in ARRAYS
    }
    monkeypatch.setattr(module, "SHA256", sums)
    monkeypatch.setattr(module, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGEN_DATA", raising=False)
    module.read_files.cache_clear()
    yield
    module.read_files.cache_clear()


@pytest.fixture
def server(tmp_path):
    """A server whose folders are mirrors: good, missing (404), altered (another array), page (HTML), cut (half)."""

    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            _, mirror, name = self.path.split("/")
            content = (tmp_path / "origin" / name).read_bytes()
            body = {
                "good": content,
                "altered": gzip.compress(gzip.decompress(content)[:-1] + b"\xff"),
                "page": b"<html>please log in</html>",
                "cut": content[: len(content) // 2],
            }.get(mirror)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) if mirror == "cut" else len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}", requests
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("bad", ["missing", "altered", "page", "cut"])
def test_a_bad_mirror_is_passed_over(server, bad):
    url, requests = server
    data = fashion_mnist("test", mirrors=(f"{url}/{bad}", f"{url}/good/"))
    np.testing.assert_array_equal(data.images[..., 0], ARRAYS["t10k-images-idx3-ubyte"])
    assert data.classes[9] == "Ankle boot" and data.name == "fashion-mnist test"
    stored = sorted(path.name for path in (data_cache() / "fashion-mnist").iterdir())
    assert stored == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert len(requests) == 4


def test_the_second_time_nothing_is_downloaded(server):
    url, requests = server
    fashion_mnist("test", mirrors=(f"{url}/good",))
    requests.clear()
    module.read_files.cache_clear()
    fashion_mnist("test", mirrors=(f"{url}/good",))
    assert requests == []


def test_all_mirrors_bad_is_one_error_that_lists_them(server):
    url, _ = server
    mirrors = [f"{url}/{bad}" for bad in ("missing", "altered", "page", "cut")] + ["http://127.0.0.1:9"]
    with pytest.raises(DataError) as caught:
        fashion_mnist("train", mirrors=mirrors)
    message = str(caught.value)
    for mirror in mirrors:
        assert f"{mirror}/train-images-idx3-ubyte.gz: " in message
    for part in ("Not Found", "SHA-256", "refused", "debian", "cache", "dataset-fashion-mnist", "MINIGEN_DATA"):
        assert part in message
    assert not (data_cache() / "fashion-mnist").exists()


def test_places_in_order(tmp_path, monkeypatch):
    """Folder, $MINIGEN_DATA, its subfolder, Debian, cache: each is enough, with no mirror to ask."""
    places = [tmp_path / "own", tmp_path / "data", tmp_path / "data2" / "fashion-mnist", tmp_path / "debian"]
    places.append(data_cache() / "fashion-mnist")
    for place in places:
        write_files(place)
    seen = []
    real = module.idx.read_split
    monkeypatch.setattr(module.idx, "read_split", lambda folder, *rest: seen.append(folder) or real(folder, *rest))
    fashion_mnist("test", folder=places[0], mirrors=())
    for own in ("data", "data2"):
        monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / own))
        fashion_mnist("test", mirrors=())
    monkeypatch.delenv("MINIGEN_DATA")
    load("Fashion_MNIST", "test")
    for path in places[3].iterdir():
        path.unlink()
    fashion_mnist("test", mirrors=())
    assert seen == places


def test_another_data_set_in_minigen_data_is_passed_over(tmp_path, monkeypatch, server):
    write_files(tmp_path / "other")
    idx.write(tmp_path / "other" / "t10k-labels-idx1-ubyte.gz", np.zeros(3, np.uint8))
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "other"))
    with pytest.raises(DataError, match=r"other/t10k-labels-idx1-ubyte\.gz: .*SHA-256"):
        fashion_mnist("test", mirrors=())
    np.testing.assert_array_equal(fashion_mnist("test", mirrors=(f"{server[0]}/good",)).labels, [0, 1, 2])
    write_files(tmp_path / "debian")
    assert len(fashion_mnist("test", mirrors=())) == 3


def test_a_damaged_file_in_the_cache_is_downloaded_again(server):
    cache = data_cache() / "fashion-mnist"
    write_files(cache)
    (cache / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    fashion_mnist("test", mirrors=(f"{server[0]}/good",))
    assert server[1] == ["/good/t10k-labels-idx1-ubyte.gz"]


def test_a_full_disk_leaves_no_half_download(server, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DataError, match=r"can not be written .No space left.*XDG_CACHE_HOME"):
        fashion_mnist("test", mirrors=(f"{server[0]}/good",))
    assert list((data_cache() / "fashion-mnist").iterdir()) == []


def test_altered_file_of_a_folder_is_named(tmp_path):
    write_files(tmp_path / "own")
    idx.write(tmp_path / "own" / "t10k-labels-idx1-ubyte.gz", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match=r"own/t10k-labels-idx1-ubyte\.gz.*SHA-256"):
        fashion_mnist("test", folder=tmp_path / "own")
    with pytest.raises(DataError, match="no such file"):
        fashion_mnist("test", folder=tmp_path / "nowhere")


def test_cache_that_can_not_be_written(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"can not be written.*XDG_CACHE_HOME"):
        fashion_mnist("test", mirrors=(f"{server[0]}/good",))

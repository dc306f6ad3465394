"""What holds for all tests."""

import gc
import os
from collections.abc import Iterator

import pytest

from minigen.config import config


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of collected tests are no garbage; without this every collection would walk through all of them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """One thread for each process of tests, as there are several, but in the tests of kernels.

    Processes that wait for each other's threads take twice as long.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name != "kernels":
            patch.setattr(config, "threads", 1)
        yield


@pytest.fixture
def all_threads(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many threads there are; config.threads says so, too."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    monkeypatch.setattr(config, "threads", threads)
    return threads

"""The benchmark: workers and their deaths, turns, peers that are absent or fail, files, tables; no timing is judged."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigen import cli
from minigen.errors import DataError

catalog, command, driver, kernel_rates, publish, report, results, scaling, start, steps = (
    import_module(f"minigen.benchmarks.{name}")
    for name in (
        *("catalog", "command", "driver", "kernel_rates", "publish", "report", "results", "scaling", "start", "steps"),
    )
)

STUB = '''
"""Steps that cost nothing, fail, or take their process with them."""
import os, signal, sys
def fine(batch):
    print("noise on standard output")
    return lambda: float(batch + 0 * sum(range(10_000)))
def threads(batch):
    return lambda: float(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0))))
def broken(batch):
    raise ValueError("shapes do not match\\nand more")
def killed(batch):
    print("last words", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)
def late(batch):
    calls = []
    return lambda: calls.append(1) or (os._exit(3) if len(calls) > 4 else 0.0)
'''


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every side runs the stub's steps, which are the only workloads, and the machine's product is small."""
    path = tmp_path / "stub.py"
    path.write_text(STUB)
    monkeypatch.setattr(driver, "PRODUCT", 64)
    monkeypatch.setattr(driver, "REST", 0.0)
    monkeypatch.setattr(scaling, "SCALED", ("fine",))
    for side in catalog.SIDES:
        monkeypatch.setitem(catalog.SIDES, side, catalog.Side("numpy", str(path)))
    for name in ("fine", "threads", "broken", "killed", "late", "nowhere"):
        monkeypatch.setitem(catalog.WORKLOADS, name, catalog.Workload(name, 8, 1.0))
    monkeypatch.chdir(tmp_path)
    return path


def plan(*workloads: str, peers: tuple[str, ...] = ()) -> Any:
    return catalog.Plan(workloads, peers, threads=1, rounds=2, turn=0.001, quick=True)


# ---------------------------------------------------------------- workers


def test_a_worker_answers_through_the_noise(stub: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # the caller's own, which would bias a side
    with driver.Worker("torch", 1) as worker:
        worker.call("prepare", "a", str(stub), "fine", 5)
        worker.call("prepare", "b", str(stub), "threads", 5)
        assert len(worker.call("run", "a", 0.0)) == 2
        assert worker.call("losses", "a", 2) == [(5.0).hex()] * 2
        assert worker.call("losses", "b", 1) == [(1.0).hex()]
        assert 2**20 < worker.call("peak") < 2**30


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("broken", "torch: ValueError: shapes do not match"),
        ("killed", "torch: its process died (signal SIGKILL, perhaps for want of memory): last words"),
        ("nowhere", "torch: NotImplementedError: stub.py has no function nowhere"),
    ],
)
def test_what_goes_wrong_is_one_line(stub: Path, function: str, message: str):
    with driver.Worker("torch", 1) as worker:
        with pytest.raises(driver.WorkerError) as caught:
            worker.call("prepare", "a", str(stub), function, 5)
        assert str(caught.value) == message
        if function == "killed":
            with pytest.raises(driver.WorkerError, match="died"):
                worker.call("peak")


def test_sides_take_turns(stub: Path, monkeypatch: pytest.MonkeyPatch):
    turns = []
    monkeypatch.setattr(driver, "take_turn", lambda worker, key, _: turns.append(worker.side) or [0.5, 1.0, 9.0])
    entry = steps.measure_workload("fine", plan("fine", peers=("torch", "jax")))
    assert turns == ["numpy", "minigen", "torch", "jax"] * 2
    assert entry["seconds"] == {"minigen": 1.0, "torch": 1.0, "jax": 1.0}
    assert entry["steps"]["jax"] == 6
    assert entry["product_gflops"] == pytest.approx(2e-9 * 64**3)


@pytest.mark.parametrize(("function", "reason"), [("killed", "SIGKILL"), ("late", "exit code 3"), ("broken", "shapes")])
def test_a_peer_that_fails_is_named_and_the_rest_measured(
    stub: Path, monkeypatch: pytest.MonkeyPatch, function: str, reason: str
):
    bad = stub.with_name("bad.py")
    bad.write_text(STUB + f"\nfine = {function}\n")
    monkeypatch.setitem(catalog.SIDES, "torch", catalog.Side("numpy", str(bad)))
    lines: list[str] = []
    (entry,) = steps.measure(plan("fine", peers=("torch", "jax")), lines.append)
    assert set(entry["seconds"]) == set(entry["peak_bytes"]) == {"minigen", "jax"}
    (line,) = [line for line in lines if "could not run" in line]
    assert line.startswith("  torch could not run fine: ")
    assert reason in line


def test_minigen_itself_must_run(stub: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["bench", "broken", "--peers"]) == 1
    assert "minigen: error: minigen: ValueError: shapes do not match\n" in capsys.readouterr().err


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["stesp"], "unknown section or workload stesp; did you mean steps?"),
        (["cnn_mnist_b46"], "did you mean cnn_mnist_b64?"),
        (["--peers", "torc"], "unknown peer torc; did you mean torch?"),
        (["--peers", "torch", "kernels"], "kernels is no peer; write the names first"),
        (["--threads", "4096"], "--threads is 4096; use a number from 1 to"),
        (["--threads", "two"], "'two' is not a whole number"),
        (["--out", "file/here"], "cannot make file/here: part of this path is a file"),
    ],
)
def test_wrong_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, argv: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert cli.main(["bench", *argv]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_absent_peers_are_named_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(catalog, "find_spec", lambda name: None if name == "torch" else SimpleNamespace())
    assert command.make_plan([], None, False, None).peers == ("jax",)
    out = capsys.readouterr().out
    assert out == "not installed, so left out: torch; pip install 'minigen[bench]' brings them\n"


def test_what_names_mean():
    made = command.make_plan(["kernels", "dcgan_b64"], [], True, None)
    assert (made.workloads, made.peers, made.quick) == (("dcgan_b64",), (), True)
    assert command.make_plan([], [], False, None).workloads == tuple(catalog.WORKLOADS)


def test_a_run_leaves_its_files(stub: Path, capsys: pytest.CaptureFixture):
    argv = ["bench", "steps", "scaling", "fine", "--quick", "--threads", "1", "--out", "here", "--peers", "jax"]
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    document = json.loads(Path("here/bench.json").read_text())
    assert [entry["name"] for entry in document["steps"]] == ["fine"]
    assert document["environment"]["cpu"]
    assert "geometric mean" in out
    assert "here/scaling.png" in out
    for picture in ("steps.png", "scaling.png"):
        assert np.asarray(Image.open(f"here/{picture}").convert("L")).std() > 3


# ---------------------------------------------------------------- figures


def entry(name: str, **ms: float) -> dict[str, Any]:
    seconds = {side.replace("_", "."): value / 1e3 for side, value in ms.items()}
    peaks = {side: 2**20 * (100 + i) for i, side in enumerate(seconds)}
    rate = {"product_gflops": 200.0, "gflop": 1.0, "failed": {}}
    return {"name": name, "batch": 64, "seconds": seconds, "peak_bytes": peaks} | rate


def test_distance_from_a_line():
    line = {"batches": [16, 32, 64, 128], "seconds": [1 + 16, 1 + 32, 1 + 64, 1 + 128]}
    assert scaling.off_line(line) == pytest.approx(0, abs=1e-9)
    assert 0.05 < scaling.off_line(line | {"seconds": [17, 33, 65, 160]}) < 0.2


def test_ratios_and_their_means():
    entries = [entry("a", minigen=10, torch=20, jax=15), entry("b", minigen=10, torch=80, torch_compile=90)]
    sides = ["minigen", "torch", "torch.compile", "jax"]
    assert [steps.best_ratio(one) for one in entries] == [1.5, 8.0]
    assert steps.ratio(entries[0], "torch.compile") is None
    assert " ".join(steps.row(entries[0], sides)).split() == [
        *("a", "10.0", "20.0", "2.00×", "–", "15.0", "1.50×"),
        *("1.50×", "100.0", "50", "%"),
    ]
    assert steps.summary(entries, sides[1:]) == (
        "geometric mean: 4.00× torch, 9.00× torch.compile, 1.50× jax, 3.46× the best peer. "
        "NumPy's 2048³ product: 200 GFLOP/s"
    )
    alone = entry("c", minigen=10)
    assert steps.best_ratio(alone) is None
    assert len(steps.row(alone, ["minigen"])) == len(steps.table(["minigen"]).columns)
    assert steps.summary([alone], []) == "NumPy's 2048³ product: 200 GFLOP/s"


def test_a_kernel_by_name_and_work():
    layer = ("conv2d", (64, 14, 64, 128, 5, 2, 2))
    assert kernel_rates.layer_name("dcgan", *layer) == "dcgan 5×5 64→128, 14×14, stride 2"
    assert kernel_rates.work(*layer) == pytest.approx(2e-9 * 64 * 7 * 7 * 25 * 64 * 128)
    assert kernel_rates.work("dense", (2048, 2048, 2048)) == pytest.approx(2e-9 * 2048**3)


def test_every_kernel_can_be_called(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(driver, "PRODUCT", 64)
    monkeypatch.setattr(kernel_rates, "QUICK", [("toy", "conv2d", (2, 6, 1, 2, 3, 2, 1)), ("toy", "dense", (2, 3, 4))])
    entries = kernel_rates.measure(plan(), lambda _: None)
    assert [one["kernel"] for one in entries] == [*kernel_rates.KERNELS] * 2


def document(**more: Any) -> dict[str, Any]:
    kernel = {"layer": "dense", "kernel": "forward", "gflop": 1.0, "seconds": 0.01, "product_gflops": 200.0}
    return {
        "date": "2030-01-02 03:04:05",
        "environment": {"cpu": "A chip", "system": "Linux", "python": "3.13", "numpy": "2.9"},
        "threads": 2,
        "quick": False,
        "peers": ["torch"],
        "steps": [entry("a", minigen=10, torch=20)],
        "kernels": [kernel],
        "start": {"import": {"minigen": 0.2}, "first_step": [{"recipe": "vae", "warm": 1.25, "cold": 20.04}]},
        "scaling": {
            "batches": [{"name": "cnn_mnist_b64", "batches": [16, 32], "seconds": [0.016, 0.04]}],
            "threads": [{"name": "dcgan_b64", "threads": [1, 2], "seconds": [0.3, 0.15], "same_bits": True}],
        },
    } | more


def test_tables_of_the_readme():
    tables = publish.tables(document())
    assert "| a | 10.0 | 20.0 2.00× | 2.00× | 100.0 | 50 % |\n" in tables["bench-steps"]
    failed = document(steps=[entry("a", minigen=10) | {"failed": {"torch": "torch: no luck"}}])
    assert "torch could not run a: no luck. A chip" in publish.tables(failed)["bench-steps"]
    assert "A chip, 2 threads, Linux, Python 3.13, numpy 2.9; 2030-01-02 03:04:05.\n" in tables["bench-steps"]
    assert "| cnn_mnist | 1.00 | 1.25 | 1.25× | 0 % |\n" in tables["bench-scaling"]
    assert "| dcgan_b64 | 300 | 150 | 2.00× | yes |\n" in tables["bench-scaling"]
    assert "| vae | 1.25 | 20.0 |\n" in tables["bench-start"]
    text = "before\n<!-- bench-start -->\nold\n<!-- /bench-start -->\nafter\n"
    new = results.replace_section(text, "bench-start", "new\n")
    assert new == "before\n<!-- bench-start -->\nnew\n<!-- /bench-start -->\nafter\n"
    assert results.replace_section(new, "bench-steps", "other") == new


def test_only_full_runs_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publish, "KEPT", tmp_path / "kept")
    with pytest.raises(DataError, match="holds no bench"):
        publish.keep(tmp_path)
    partial = document()
    del partial["start"]
    for wrong in (document(quick=True), partial):
        (tmp_path / "bench.json").write_text(json.dumps(wrong))
        with pytest.raises(DataError, match="quick or partial"):
            publish.keep(tmp_path)
    for name in publish.PICTURES:
        (tmp_path / name).touch()
    (tmp_path / "bench.json").write_text(json.dumps(document()))
    assert publish.keep(tmp_path) == document()
    assert len(list((tmp_path / "kept").iterdir())) == 1 + len(publish.PICTURES)


# ---------------------------------------------------------------- the work itself


def test_the_first_step_of_a_recipe_ends_the_training():
    assert start.first_step("gan", plan(), {"MINIGEN_BACKEND": "numpy"}) > 0


@pytest.mark.parametrize(
    "side", ["minigen", pytest.param("torch", marks=pytest.mark.slow), pytest.param("jax", marks=pytest.mark.slow)]
)
def test_sides_do_the_same_work(side: str):
    """The loss after the first steps: initial weights differ, so only roughly the same."""
    pytest.importorskip(catalog.SIDES[side].package)
    expected = {"vae_mlp_b128": 2200, "gan_mlp_b64": 1.9, "cnn_mnist_b64": 2.3, "dcgan_b64": 2.0}
    expected |= {"lstm1x128_b64t64": 4.2, "gpt4x128_b12t128": 4.4}
    with driver.Worker(side, 2, dict(catalog.SIDES[side].environment)) as worker:
        for name, about in expected.items():
            steps.prepare(worker, name, batch=4)
            worker.receive()
            (loss,) = map(float.fromhex, worker.call("losses", "step", 1))
            assert about / 2 < loss < about * 2

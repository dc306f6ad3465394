"""`minigen bench`: what was asked for, the sections one after the other, and the files that they leave."""

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from minigen import flags, plots
from minigen.config import available_cores, config
from minigen.errors import ArgumentError
from minigen.files import disk_error, write_atomic

from . import atlas, atlas_tables, kernel_rates, scaling, start, steps
from .atlas_cases import DRAWS
from .catalog import PEERS, SIDES, WORKLOADS, Plan, absent
from .report import environment, machine

SECTIONS: dict[str, Callable[[Plan, Callable[[str], None]], Any]] = {
    "steps": steps.measure,
    "kernels": kernel_rates.measure,
    "start": start.measure,
    "scaling": scaling.measure,
    "atlas": atlas.measure,
}
USUAL = [name for name in SECTIONS if name != "atlas"]  # which takes as long as all others
FILE = "bench.json"
PACKAGES = ("minigen", "numpy", "numba")


def main(argv: list[str]) -> int:
    """Measure minigen beside PyTorch and JAX on the same work, and write tables, bench.json and two plots."""
    names = [*SECTIONS, *WORKLOADS]
    parser = flags.Parser(prog="minigen bench", description=main.__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"sections and workloads (default: all but the atlas) of {', '.join(names)}",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="PEER",
        help=f"of {', '.join(PEERS)} (default: all; --peers alone: none)",
    )
    parser.add_argument("--quick", action="store_true", help="a rough look within a minute or two")
    parser.add_argument("--cases", type=flags.converter(int), metavar="N", help="shapes of the atlas (default: 160)")
    parser.add_argument("--seed", type=flags.converter(int), metavar="N", help="which shapes (default: 0)")
    parser.add_argument("--threads", type=flags.converter(int), metavar="N", help="cores of each side (default: all)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the files (default: runs/bench-DATE)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    for name in arguments.names:
        check(name, "section or workload", names)
    for peer in arguments.peers or []:
        if peer in names:
            raise ArgumentError(f"{peer} is no peer; write the names first: minigen bench {peer} --peers …")
        check(peer, "peer", PEERS)
    plan = make_plan(arguments.names, arguments.peers, arguments.quick, arguments.threads)
    plan = with_shapes(plan, arguments.cases, arguments.seed)
    now = datetime.datetime.now().replace(microsecond=0)
    folder = arguments.out or Path("runs") / f"bench-{now:%Y%m%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error("make", folder, error) from error
    chosen = [name for name in SECTIONS if name in arguments.names]
    if not chosen:
        chosen = ["steps"] if arguments.names else USUAL
    run(chosen, plan, folder, now.isoformat(sep=" "))
    return 0


def check(name: str, kind: str, known: list[str] | tuple[str, ...]) -> None:
    """Raises ArgumentError, with the nearest one, unless the name is known."""
    if name not in known:
        raise ArgumentError(f"unknown {kind} {name}{flags.suggestion(name, known)} (known: {', '.join(known)})")


def make_plan(names: list[str], peers: list[str] | None, quick: bool, threads: int | None) -> Plan:
    """What the flags mean here; says which peers are left out because they are not installed."""
    if threads is not None and not 1 <= threads <= available_cores():
        raise ArgumentError(f"--threads is {threads}; use a number from 1 to {available_cores()}, the cores there are")
    if peers is None:  # compiling takes torch.compile longer than the quick look may last
        peers = [peer for peer in PEERS if not (quick and peer == "torch.compile")]
    missing = absent(tuple(peers))
    if missing:
        print(f"not installed, so left out: {', '.join(missing)}; pip install 'minigen[bench]' brings them")
    return Plan(
        workloads=tuple(name for name in WORKLOADS if name in names) or tuple(WORKLOADS),
        peers=tuple(peer for peer in PEERS if peer in peers and SIDES[peer].package not in missing),
        threads=threads or config.threads,
        rounds=3 if quick else 7,
        turn=0.2 if quick else 0.4,
        quick=quick,
    )


def with_shapes(plan: Plan, cases: int | None, seed: int | None) -> Plan:
    """The plan, with what was asked of the atlas."""
    if cases is not None and cases < 1:
        raise ArgumentError(f"--cases is {cases}; use a number from 1 on")
    if seed is not None and seed < 0:
        raise ArgumentError(f"--seed is {seed}; use a number from 0 on")
    usual = len(DRAWS) if plan.quick else plan.cases
    return replace(plan, cases=cases or usual, seed=seed or plan.seed)


def run(chosen: list[str], plan: Plan, folder: Path, date: str) -> None:
    """Measure the sections, and write what is known after each."""
    packages = dict.fromkeys([*PACKAGES, *(SIDES[peer].package for peer in plan.peers)])
    document: dict[str, Any] = {
        "date": date,
        "environment": environment(packages),
        "threads": plan.threads,
        "rounds": plan.rounds,
        "turn_seconds": plan.turn,
        "quick": plan.quick,
        "peers": list(plan.peers),
    }
    print(machine(document))
    for section in chosen:
        print(flush=True)
        document[section] = SECTIONS[section](plan, lambda line: print(line, flush=True))
        write_atomic(folder / FILE, json.dumps(document, indent=1).encode() + b"\n")
    print("\n" + "\n".join(str(path) for path in [folder / FILE, *draw(document, folder)]))


def draw(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """The pictures of the sections that were measured."""
    paths: list[Path] = []
    if "steps" in document:
        paths.append(folder / "steps.png")
        entries, sides = document["steps"], ["minigen", *document["peers"]]
        values = {side: [entry["seconds"].get(side) for entry in entries] for side in sides}
        plots.save_times(paths[-1], [entry["name"] for entry in entries], values, "one training step")
    if "scaling" in document:
        paths.append(folder / "scaling.png")
        entries = document["scaling"]["batches"]
        curves = {WORKLOADS[entry["name"]].build: (entry["batches"], steps_ms(entry)) for entry in entries}
        plots.save_scaling(paths[-1], curves, "cost of an image", "batch size", "ms an image")
    if "atlas" in document and (dots := atlas_tables.dots(document["atlas"]["cases"])):
        paths.append(folder / "atlas.png")
        title = f"{len(document['atlas']['cases'])} shapes drawn by seed {document['atlas']['seed']}"
        plots.save_ratios(paths[-1], dots, title, "PyTorch's time over minigen's")
    return paths


def steps_ms(entry: Mapping[str, Any]) -> list[float]:
    """Milliseconds of an image, by batch size."""
    return [seconds * 1e3 for seconds in scaling.per_image(entry)]

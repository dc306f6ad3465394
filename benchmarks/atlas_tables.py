"""What the atlas tells: a line a case, geometric means by kind, the spread of the ratios, the slowest."""

from collections.abc import Mapping, Sequence
from statistics import geometric_mean
from typing import Any

import numpy as np

from .catalog import REFERENCE
from .report import NOTHING, Table, milliseconds, share, times

TITLES = {"forward": "forward", "backward": "with backward"}
WORST = 10  # that are listed
ENOUGH = 0.6  # of its limit, for a case to count as near it
QUANTILES = (0, 10, 25, 50, 75, 90, 100)  # per cent

Entry = Mapping[str, Any]


def ratio(entry: Entry, name: str, peer: str = REFERENCE) -> float | None:
    """How many times as long as minigen a peer takes for a pass."""
    seconds = entry["seconds"][name]
    return seconds[peer] / seconds["minigen"] if {peer, "minigen"} <= seconds.keys() else None


def of_limit(entry: Entry, name: str) -> float | None:
    """Which part of the speed that the machine allows minigen has."""
    own = entry["seconds"][name].get("minigen")
    return entry["limit"][name] / own if own else None


def slower_in_all_rounds(entry: Entry, name: str, peer: str) -> bool:
    """Whether minigen is behind beyond the noise: of cases that are as fast, one in 2^rounds is."""
    rounds = entry["round_seconds"][name]
    return all(theirs < ours for ours, theirs in zip(rounds["minigen"], rounds[peer], strict=True))


def table(peers: Sequence[str]) -> Table:
    """The columns of a case, for each pass: minigen's time, the peers' ratios, the share of the limit."""
    columns = [("case", -96)]
    for title in TITLES.values():
        columns += [(title, max(8, len(title))), *[(peer, max(8, len(peer))) for peer in peers], ("of limit", 8)]
    return Table(columns)


def row(entry: Entry, peers: Sequence[str]) -> list[str]:
    """One line of figures."""
    cells = [entry["name"]]
    for name in TITLES:
        near = of_limit(entry, name)
        cells += [milliseconds(entry["seconds"][name].get("minigen")), *(times(ratio(entry, name, p)) for p in peers)]
        cells.append(share(near) if near else NOTHING)
    return cells


def ratios(entries: Sequence[Entry], name: str, peer: str) -> dict[str, float]:
    """Of the cases that both sides run, by their names."""
    return {entry["name"]: value for entry in entries if (value := ratio(entry, name, peer))}


def overview(entries: Sequence[Entry], peers: Sequence[str]) -> list[str]:
    """A sentence a peer and pass, and one on the limits."""
    lines = []
    for peer in peers:
        for name, title in TITLES.items():
            if not (found := ratios(entries, name, peer)):
                continue
            run = [entry for entry in entries if entry["name"] in found]
            slower = sum(slower_in_all_rounds(entry, name, peer) for entry in run)
            lines.append(
                f"{title}, {peer}: geometric mean {times(geometric_mean(found.values()))} over {len(found)} cases, "
                f"{sum(value < 1 for value in found.values())} below 1, {slower} of them in every round"
            )
    for name, title in TITLES.items():
        if near := [value for entry in entries if (value := of_limit(entry, name))]:
            lines.append(
                f"{title}: {share(float(np.mean(np.array(near) >= ENOUGH)))} of the cases at {share(ENOUGH)} or more "
                f"of their limit, half of them at {share(float(np.median(near)))}"
            )
    return lines


SPREAD = Table([("ratio to torch", -16), *[(share(q / 100), 8) for q in QUANTILES]])


def spread(entries: Sequence[Entry]) -> list[list[str]]:
    """The quantiles of the ratios to the reference, a row a pass."""
    rows = []
    for name, title in TITLES.items():
        if found := ratios(entries, name, REFERENCE):
            rows.append([title, *(times(float(q)) for q in np.percentile(list(found.values()), QUANTILES))])
    return rows


KINDS = Table(
    [("kind", -24), ("cases", 6), ("forward", 8), ("worst", 8), ("with backward", 14), ("worst", 8)]
)  # fmt: skip


def kinds(entries: Sequence[Entry]) -> list[list[str]]:
    """For each kind the geometric mean and the lowest of the ratios to the reference."""
    rows = []
    for kind in dict.fromkeys(entry["kind"] for entry in entries):
        own = [entry for entry in entries if entry["kind"] == kind]
        cells = [kind, str(len(own))]
        for name in TITLES:
            values = ratios(own, name, REFERENCE).values()
            cells += [times(geometric_mean(values)), times(min(values))] if values else [NOTHING] * 2
        rows.append(cells)
    return rows


SLOWEST = Table([("ratio", 8), ("pass", -14), ("case", -96)])


def slowest(entries: Sequence[Entry]) -> list[list[str]]:
    """The lowest ratios to the reference, of both passes."""
    found = [(value, TITLES[name], case) for name in TITLES for case, value in ratios(entries, name, REFERENCE).items()]
    return [[times(value), title, case] for value, title, case in sorted(found)[:WORST]]


def dots(entries: Sequence[Entry]) -> dict[str, dict[str, list[float]]]:
    """The ratios to the reference by kind and pass; nothing when the reference was not measured."""
    by_kind: dict[str, dict[str, list[float]]] = {}
    for kind in dict.fromkeys(entry["kind"] for entry in entries):
        own = [entry for entry in entries if entry["kind"] == kind]
        by_kind[kind] = {title: list(ratios(own, name, REFERENCE).values()) for name, title in TITLES.items()}
    return by_kind if any(found for passes in by_kind.values() for found in passes.values()) else {}


def summary(entries: Sequence[Entry], peers: Sequence[str]) -> list[str]:
    """All of that as lines."""
    lines = ["", *overview(entries, peers)]
    for form, rows in ((SPREAD, spread(entries)), (KINDS, kinds(entries)), (SLOWEST, slowest(entries))):
        if rows:
            lines += ["", form.heading(), *map(form.line, rows)]
    return lines


def markdown(atlas: Mapping[str, Any], peers: Sequence[str]) -> str:
    """All of that as Markdown."""
    entries = atlas["cases"]
    known = (
        f"{len(entries)} cases, seed {atlas['seed']}; NumPy's product: {atlas['product_gflops']:.0f} GFLOP/s, a copy: "
    )
    known += f"{atlas['memory_rate'] / 1e9:.1f} GB/s"
    lines = "".join(f"- {line}.\n" for line in [known, *overview(entries, peers)])
    forms = ((SPREAD, spread(entries)), (KINDS, kinds(entries)), (SLOWEST, slowest(entries)))
    return "\n".join([lines, *(form.markdown(rows) for form, rows in forms)])

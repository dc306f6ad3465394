"""The README's table of training steps, and the tables of docs/benchmarks.md, made from runs of `minigen bench`.

    python -m benchmarks.publish runs/bench-…

keeps the run's figures and pictures under docs/benchmarks, and writes the tables between the markers of both files. A
run of the atlas alone renews the atlas alone.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigen.errors import DataError

from . import atlas_tables, kernel_rates, scaling, start, steps
from .command import FILE, USUAL
from .report import machine
from .results import ROOT, replace_section

KEPT = ROOT / "docs" / "benchmarks"
PICTURES = ("steps.png", "scaling.png", "atlas.png")


def main() -> None:
    """Publish the folder named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what minigen bench wrote")
    document = keep(parser.parse_args().folder)
    for path in (ROOT / "README.md", ROOT / "docs" / "benchmarks.md"):
        text = path.read_text()
        for section, table in (atlas_table(document) | tables(document)).items():
            text = replace_section(text, section, table)
        path.write_text(text)


def keep(folder: Path) -> dict[str, Any]:
    """Copy figures and pictures of a full run. Raises DataError when it is a quick or partial one."""
    path = folder / FILE
    if not path.exists():
        raise DataError(f"{folder} holds no {FILE}; make one with: minigen bench --out {folder}")
    document = json.loads(path.read_text())
    whole = all(section in document for section in USUAL)
    if document["quick"] or not (whole or "atlas" in document):
        raise DataError(f"{path} is of a quick or partial run; publish one of: minigen bench --out {folder}")
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, KEPT / (FILE if whole else "atlas.json"))
    for name in PICTURES:
        if (folder / name).exists():
            shutil.copyfile(folder / name, KEPT / name)
    return document


def atlas_table(document: Mapping[str, Any]) -> dict[str, str]:
    """Markdown of the atlas by the name of its markers, if it was measured."""
    if "atlas" not in document:
        return {}
    return {"bench-atlas": f"{atlas_tables.markdown(document['atlas'], document['peers'])}\n{machine(document)}.\n"}


def tables(document: Mapping[str, Any]) -> dict[str, str]:
    """Markdown of the other sections by the names of their markers, if they were measured."""
    if "steps" not in document:
        return {}
    sides = ["minigen", *document["peers"]]
    entries, over = document["steps"], document["scaling"]
    imports = ", ".join(f"{package} {seconds:.2f} s" for package, seconds in document["start"]["import"].items())
    batches = over["batches"][0]["batches"]
    named = steps.table(sides).markdown([steps.row(entry, sides) for entry in entries])
    memory = steps.memory_table(sides).markdown([steps.memory_row(entry, sides) for entry in entries])
    first_steps = start.TABLE.markdown(map(start.row, document["start"]["first_step"]))
    threads = scaling.thread_table(document["threads"]).markdown(map(scaling.thread_row, over["threads"]))
    notes = [steps.summary(entries, document["peers"]), *(line for entry in entries for line in steps.failures(entry))]
    return {
        "bench-steps": f"{named}\n{'. '.join([*notes, machine(document)])}.\n",
        "bench-memory": memory,
        "bench-kernels": kernel_rates.TABLE.markdown(map(kernel_rates.row, document["kernels"])),
        "bench-start": f"{first_steps}\nImports: {imports}.\n",
        "bench-scaling": scaling.table(batches).markdown(map(scaling.row, over["batches"])) + "\n" + threads,
    }


if __name__ == "__main__":
    main()

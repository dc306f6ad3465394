"""The README's table of results, made from the run folders of full runs.

    python -m benchmarks.results runs/vae-1 runs/dcgan-1 …

keeps what each run measured (recipe.json, run.json, metrics.csv), and the text that it wrote last, under
docs/results/NAME, and writes one row for each kept run between the two markers in README.md: the command that was run,
its seed, its results and its time. Of the same run with other seeds only what was measured is kept, beside that of seed
0; its row then has means, and the deviation over the seeds.
"""

import argparse
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from minigen import flags
from minigen.catalog import load_model
from minigen.errors import DataError
from minigen.training.figures import main_figures

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "results"
FILES = ("recipe.json", "run.json", "metrics.csv")
EVALUATION, SHEET = "evaluation.json", "sample.png"
SHARES = ("accuracy", "precision", "recall", "f1", "known", "overlap")  # what the names of shares begin with
SHARES += (
    "coverage",
    "learned",
    "asked",
    "least_class",
    "right",
    "read",
    "in_key",
    "in_time",
    "repeated",
    "alone",
    "changed",
    "generated",
    "both",
)
LATENT = ("negative_elbo", "reconstruction", "kl", "prior", "negative_log_likelihood", "bits_per_dimension")
QUALITY = ("fid", "precision", "recall", "class_entropy", "least_class", "asked")  # of samples
WRITERS = ("nats_per_character", "overlap_8", "held_out_overlap_8")
SHOWN = {  # of the models that measure more than a table can hold; the rest is in run.json
    "vae": LATENT,
    "vq_vae": LATENT,
    "ddpm": ("bits_per_dimension",),
    "flow_matching": ("straightness",),
    "real_nvp": ("bits_per_dimension",),
    "pixel_cnn": ("negative_log_likelihood", "bits_per_dimension"),
    "recommender": (
        "ndcg_100",
        "ndcg_100_popularity",
        "ndcg_100_neighbours",
        "ndcg_100_truth",
        "recall_20",
        "recall_50",
    ),
    "melody": (
        "nats_per_note",
        "nats_per_note_by_counting",
        "in_key",
        "held_out_in_key",
        "repeated",
        "held_out_repeated",
    ),
    "pix2pix": ("distance", "distance_of_source"),
    "discogan": ("distance_ab", "distance_ba", "distance_of_ab", "cycle"),
    "char_rnn": WRITERS,
    "gpt": WRITERS,
    "bert": ("nats_per_masked_character", "accuracy", "unigram_nats"),
    "text_vae": ("negative_elbo", "kl", "nats_per_word", "active_units"),
    "text_gan": ("known", "known_shuffled", "overlap_4", "overlap_4_shuffled"),
}
UNITS = {"vae": " nats per image", "vq_vae": " nats per image"}
SOURCES = ("data", "other", "text", "ratings", "tunes")  # fields of a recipe that may name the user's own file


def main() -> None:
    """Keep the run folders named on the command line, and renew the table from all that are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="FOLDER")
    for folder in parser.parse_args().runs:
        keep(folder)
    renew()


def renew() -> None:
    """Write the README's table anew, of all runs that are kept."""
    readme = ROOT / "README.md"
    rows = "\n".join(row(folder) for folder in sorted(KEPT.iterdir()))
    table = f"| command | result | steps | time |\n|---|---|---|---|\n{rows}\n"
    readme.write_text(replace_section(readme.read_text(), "results", table))


def replace_section(text: str, name: str, section: str) -> str:
    """`text` with `section` between its markers <!-- name --> and <!-- /name -->; as it is when it has none."""
    markers = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return markers.sub(lambda match: match[1] + section + match[2], text)


def keep(folder: Path) -> Path:
    """Copy what the run in `folder` measured; returns the new folder. Raises DataError unless the run was finished."""
    recipe, run = (json.loads((folder / name).read_text()) for name in FILES[:2])
    if not run["results"]:
        raise DataError(f"{folder}: the run stands at step {run['step']} without results; finish it with --resume")
    for name in set(SOURCES) & set(recipe["recipe"]):
        if recipe["recipe"][name] is not None:
            recipe["recipe"][name] = Path(recipe["recipe"][name]).name  # where it lay is nobody's business
    if (folder / EVALUATION).is_file():  # minigen eval was asked for more than is measured at the end of a training
        run["results"] = json.loads((folder / EVALUATION).read_text()) | run["results"]
    seed, recipe["recipe"]["seed"] = recipe["recipe"]["seed"], 0
    target = KEPT / re.sub(r"\W+", "-", command(recipe).removeprefix("minigen train "))
    if seed != 0:
        if not target.is_dir():
            raise DataError(f"{folder}: keep the same run with seed 0 first; others are kept beside it")
        (target / f"seed-{seed}.json").write_text(json.dumps(run, indent=2) + "\n")
        return target
    target.mkdir(parents=True, exist_ok=True)
    (target / FILES[1]).write_text(json.dumps(run, indent=2) + "\n")
    shutil.copyfile(folder / FILES[2], target / FILES[2])
    for text in sorted((folder / "samples").glob("*.txt"))[-1:]:
        shutil.copyfile(text, target / "sample.txt")
    for sheet in sorted((folder / "samples").glob("*.png"))[-1:]:
        shutil.copyfile(sheet, target / SHEET)
    (target / FILES[0]).write_text(json.dumps(recipe, indent=2) + "\n")
    return target


def read(folder: Path) -> dict[str, Any]:
    """What a kept run says of itself: recipe, seeds, results and, of several seeds, their deviations."""
    recipe, run = (json.loads((folder / name).read_text()) for name in FILES[:2])
    others = {path.stem.removeprefix("seed-"): json.loads(path.read_text()) for path in folder.glob("seed-*.json")}
    found = {**run, "folder": folder, "document": recipe, "seeds": ["0", *sorted(others)], "deviations": {}}
    if others:
        measured = [one["results"] for one in (run, *others.values())]
        values = {
            name: [one[name] for one in measured] for name in run["results"] if all(name in one for one in measured)
        }
        found["results"] = {name: mean(some) for name, some in values.items()}
        found["deviations"] = {name: stdev(some) for name, some in values.items()}
    return found


def row(folder: Path) -> str:
    """One line of the table."""
    run = read(folder)
    minutes, seconds = divmod(round(run["seconds"]), 60)
    seeds = f"seed{'s' if len(run['seeds']) > 1 else ''} {', '.join(run['seeds'])}"
    link = f"[`{command(run['document'])}`](docs/results/{folder.name}/metrics.csv), {seeds}"
    return f"| {link} | {results_of(run)} | {run['step']:,} | {minutes} min {seconds:02d} s |"


def results_of(run: dict[str, Any]) -> str:
    """The main results of a run on one line; the rest is in its run.json."""
    model, figures = run["document"]["model"], run["results"]

    def listed(names: Iterable[str]) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {measured(name, run)}" for name in names if name in figures)

    if "fid" not in figures:
        return listed(SHOWN.get(model, main_figures(figures))) + UNITS.get(model, "")
    own = listed(SHOWN.get(model, ()))
    return (f"{own}{UNITS.get(model, '')}, " if own else "") + listed(QUALITY)


def command(document: dict[str, Any]) -> str:
    """The command line of a recipe: the model and the fields that differ from their defaults."""
    return flags.command(document["model"], load_model(document["model"]).Recipe(**document["recipe"]))


def measured(name: str, run: dict[str, Any]) -> str:
    """A figure of a run that was read, and its deviation over seeds where there are several."""
    spread = run["deviations"].get(name)
    return figure(name, run["results"][name]) + (f" ± {figure(name, spread)}" if spread else "")


def figure(name: str, value: float) -> str:
    """A number with as many digits as mean something; shares as percentages."""
    if name.removeprefix("held_out_").startswith(SHARES):
        return f"{value:.2%}".replace("%", " %")
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


if __name__ == "__main__":
    main()

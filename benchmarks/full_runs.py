"""All recipes in full, one after the other, and the README's table and docs/zoo.md made anew of them.

    make results                                 # hours; may be stopped and started again at any time
    python -m benchmarks.full_runs dcgan vae     # only the runs of these models

Each run has a folder in runs/full. What is finished is not trained again, what was interrupted goes on to the bit.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from minigen.benchmarks import results, zoo
from minigen.errors import RunError

FOLDER = Path("runs/full")
BURDA = "--binarization dynamic --hidden 200 --depth 2 --activation tanh --latent 50 --batch-size 100 --schedule cosine"
SHAKESPEARE = Path("tinyshakespeare.txt")  # of char-rnn, which is not in the package; put it here
RUNS = (  # the quick ones first
    "glove",
    "word2vec",
    "vae",
    "vae --latent 2",
    "autoencoder",
    "autoencoder --noise 0.5",
    "gpt",
    f"gpt --text {SHAKESPEARE}",
    "sequential_mnist",
    "classifier",
    "text_vae",
    "pix2pix",
    "discogan",
    "bert",
    "text_gan",
    "gan",
    "char_rnn",
    f"char_rnn --text {SHAKESPEARE}",
    "dcgan",
    "cgan --ema 0.999",
    "vq_vae",
    "wgan",
    f"vae {BURDA} --epochs 400",
    "wgan_gp",
    f"gpt --text {SHAKESPEARE} --layers 6 --heads 6 --dim 192 --context 128 --dropout 0.1 --steps 4000"
    " --batch-size 16 --lr 0.0015",
    f"vae --k 5 {BURDA} --epochs 250",
    "recommender",
    *(f"restore --task {task}" for task in ("noise", "half", "block", "resolution")),
    "translate",
    "translate --architecture transformer",
    "translate --task sums --steps 10000",
    "melody",
    "augment",
    "moving_mnist",
    "real_nvp",
    "pixel_cnn --epochs 3",
    "flow_matching --epochs 6",
    "ddpm --epochs 10",
    "sequential_mnist --by pixel --batch-size 64",
    "sequential_mnist --by permuted --batch-size 64",
    "classifier --data fashion-mnist --epochs 12",  # last, as its data is not in the package
)


def main() -> None:
    """Make the runs, and keep what they measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full_runs", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    models = parser.parse_args().models
    for flags in RUNS:
        model = flags.split()[0]
        if models and model not in models:
            continue
        if str(SHAKESPEARE) in flags and not SHAKESPEARE.is_file():
            print(f"left out, as there is no {SHAKESPEARE} here: minigen train {flags}")
            continue
        folder = finished(flags)
        if BURDA in flags and not (folder / results.EVALUATION).is_file():
            subprocess.run([sys.executable, "-m", "minigen", "eval", str(folder), "--samples", "5000"], check=True)
        results.keep(folder)
    results.renew()
    zoo.renew()


def finished(flags: str) -> Path:
    """The folder of the run with these flags, trained to its end. Raises RunError when it was stopped before."""
    folder = FOLDER / flags.replace("--", "").replace(" ", "-")
    if not is_finished(folder):
        going_on = (folder / "checkpoint.safetensors").is_file()
        rest = ["--resume", str(folder)] if going_on else [*flags.split(), "--out", str(folder)]
        print(shlex.join(["minigen", "train", *rest]), flush=True)
        subprocess.run([sys.executable, "-m", "minigen", "train", *rest], check=False)
    if not is_finished(folder):
        raise RunError(f"{folder}: the run was stopped before its end; start again, and it goes on")
    return folder


def is_finished(folder: Path) -> bool:
    """Whether a run has its results."""
    file = folder / "run.json"
    return file.is_file() and bool(json.loads(file.read_text())["results"])


if __name__ == "__main__":
    main()

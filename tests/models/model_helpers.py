"""What the tests of several models share: which models there are, and how to train one of them a little."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from minigen.catalog import load_model, model_names
from minigen.cli.train import train_and_evaluate
from minigen.training import Progress, Run


def with_field(field: str) -> list[str]:
    """The models whose recipe has such a field."""
    return [name for name in model_names() if field in {one.name for one in fields(load_model(name).Recipe)}]


TEXT_MODELS = with_field("text")
IMAGE_MODELS = [name for name in with_field("data") if name != "augment"]  # which trains many classifiers
MODELS = sorted(TEXT_MODELS + IMAGE_MODELS)  # the others are tested by themselves

# Models whose own size takes long, in small.
SMALL: dict[str, dict[str, Any]] = {
    "vae": {"hidden": 64},
    "autoencoder": {"hidden": 64},
    "vq_vae": {"codes": 8, "width": 4, "channels": 8, "layers": 1, "heads": 2, "dim": 8},
    "pix2pix": {"width": 4},
    "discogan": {"width": 4},
    "dcgan": {"width": 8},
    "wgan": {"width": 4, "critic_steps": 2},
    "cgan": {"width": 8},
    "ddpm": {"width": 8, "noise_steps": 25},
    "restore": {"hidden": 16, "latent": 8},
    "flow_matching": {"width": 8},
    "real_nvp": {"width": 8, "blocks": 1, "couplings": 2},
    "pixel_cnn": {"channels": 4, "depth": 2},
    "wgan_gp": {"width": 4, "critic_steps": 2},
    "char_rnn": {"hidden": 32},
    "gpt": {"layers": 2, "dim": 32, "context": 16},
    "bert": {"layers": 2, "dim": 32, "context": 16},
    "text_vae": {"hidden": 32, "latent": 8},
}


def trained(name: str, folder: Path, evaluating: bool = True, /, **recipe_fields: Any) -> Run:
    """A run of a model in `folder`, in batches of 16; evaluating takes longer than to train."""
    model = load_model(name)
    recipe = model.Recipe(**{"batch_size": 16, **SMALL.get(name, {}), **recipe_fields})
    run = Run.create(folder, name, recipe)
    train_and_evaluate(model, recipe, run, evaluating)
    return run


class Stored(dict):
    """A state that only stands there to be saved."""

    def state_dict(self) -> dict[str, Any]:
        return self

    def load_state_dict(self, state: Any) -> None:
        raise NotImplementedError


class Interrupted(Progress):
    """As if the user had pressed Ctrl-C during step 2."""

    def update(self, step: int, **values: Any) -> None:
        super().update(step, **values)
        self.interrupted = step == 2

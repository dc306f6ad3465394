"""The networks of every model go to PyTorch's layouts and back into fresh ones, to the bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigen import interop, layers
from minigen.catalog import load_model, model_names
from minigen.models.parts.tunes import Notation
from minigen.random import generator

IMAGE = (12, 8, 3)
SMALL = (3, 2, 64)
HALVED = (3, 2, 8)  # what networks of width 4 make of it
SEQUENCE = {"dim": 8, "heads": 2, "context": 4, "layers": 2}
Build = Callable[[np.random.Generator], layers.Module]


def network(name: str, maker: str, *arguments: Any, **fields: Any) -> Build:
    """How the model NAME makes its networks with a recipe of these fields, which come after the arguments."""
    model = load_model(name)
    return lambda rng: getattr(model, maker)(*arguments, model.Recipe(**fields), rng)


def plain(name: str, maker: str, *arguments: Any) -> Build:
    """The same where no recipe is asked for."""
    return lambda rng: getattr(load_model(name), maker)(*arguments, rng)


def read(*names: str, image: Any = IMAGE) -> dict[str, Any]:
    """These Linears read a flattened image."""
    return {"flattened": dict.fromkeys(names, image)}


def made(*names: str, image: Any = IMAGE) -> dict[str, Any]:
    """What these make becomes an image."""
    return {"unflattened": dict.fromkeys(names, image)}


MLP = read("encoder.1") | made("decoder.2")
CONVOLUTIONAL = read("encoder.5", image=SMALL) | made("decoder.2", image=SMALL)
HALVING = read("discriminator.7", image=HALVED) | made("generator.0", image=HALVED)
PROJECTING = read("discriminator.last", image=HALVED)
PROJECTING |= made("generator.network.0", "discriminator.of_class", image=HALVED)
TUNES = Notation(60, 5, [1, 2], [(4, 4, 0), (3, 4, 1)])

NETWORKS: dict[str, tuple[Build, dict[str, Any]]] = {
    "autoencoder": (network("autoencoder", "Autoencoder", IMAGE, hidden=8), MLP),
    "autoencoder, convolutional": (
        network("autoencoder", "Autoencoder", IMAGE, hidden=8, architecture="convolutional"),
        CONVOLUTIONAL,
    ),
    "vae": (network("vae", "VAE", IMAGE, hidden=8), MLP),
    "vae, convolutional": (network("vae", "VAE", IMAGE, hidden=8, architecture="convolutional"), CONVOLUTIONAL),
    "vq_vae": (
        network("vq_vae", "VQVAE", IMAGE, 3, codes=8, width=4, channels=8, layers=1, heads=2, dim=8),
        read(),
    ),
    "text_vae": (network("text_vae", "TextVAE", 5, hidden=8, latent=3), {}),
    "gan": (network("gan", "build", IMAGE, spectral_norm=True), read("discriminator.1") | made("generator.4")),
    "dcgan": (network("dcgan", "build", IMAGE, width=4), HALVING),
    "dcgan, stretching nothing": (network("dcgan", "build", IMAGE, width=4, spectral_norm=True), HALVING),
    "cgan": (network("cgan", "CGAN", IMAGE, 3, width=4), PROJECTING),
    "wgan": (network("wgan", "build", IMAGE, width=4), HALVING),
    "wgan_gp": (
        network("wgan_gp", "build", IMAGE, width=4),
        read("discriminator.7", image=(2, 1, 16)) | made("generator.0", image=(2, 1, 16)),
    ),
    "pix2pix": (network("pix2pix", "build", IMAGE, width=4), {}),
    "discogan": (
        network("discogan", "DiscoGAN", IMAGE, width=4),
        read("discriminators.a.7", "discriminators.b.7", image=HALVED),
    ),
    "text_gan": (
        network("text_gan", "TextGAN", 5, width=4),
        read("discriminator.6", image=(1, 10, 4)) | made("generator.0", image=(1, 10, 4)),
    ),
    "ddpm": (plain("ddpm", "UNet", IMAGE, 3, 8), made()),
    "flow_matching": (plain("flow_matching", "UNet", IMAGE, 0, 8), made()),
    "pixel_cnn": (network("pixel_cnn", "PixelCNN", IMAGE, 3, channels=4, depth=2), {}),
    "real_nvp": (network("real_nvp", "RealNVP", (12, 8, 1), width=4, blocks=1, couplings=2), {}),
    "classifier": (network("classifier", "Classifier", IMAGE, 3), read("network.14", image=(1, 1, 128))),
    "sequential_mnist": (network("sequential_mnist", "Reader", IMAGE, 3, hidden=8), {}),
    "moving_mnist": (network("moving_mnist", "Forecaster", hidden=4), {}),
    "char_rnn, lstm": (network("char_rnn", "CharRNN", 5, hidden=8), {}),
    "char_rnn, gru": (network("char_rnn", "CharRNN", 5, hidden=8, cell="gru"), {}),
    "char_rnn, rnn": (network("char_rnn", "CharRNN", 5, hidden=8, cell="rnn"), {}),
    "gpt": (network("gpt", "GPT", 5, **SEQUENCE), {}),
    "gpt, not tied": (network("gpt", "GPT", 5, tie=False, **SEQUENCE), {}),
    "bert": (network("bert", "BERT", 5, **SEQUENCE), {}),
    "translate, recurrent": (network("translate", "Translator", dim=8), {}),
    "translate, transformer": (network("translate", "Translator", dim=8, layers=1, architecture="transformer"), {}),
    "melody": (network("melody", "Composer", TUNES, hidden=8), {}),
    "restore": (network("restore", "Restorer", IMAGE, hidden=8, latent=4), CONVOLUTIONAL),
    "augment, classifier": (plain("augment", "small_classifier", IMAGE, 3), read("5", image=(3, 2, 32))),
    "augment, generator": (plain("augment", "Generator", IMAGE, 3, 4), made("decoder.2")),
    "recommender": (network("recommender", "MultVAE", 6, hidden=8, latent=4), {}),
    "word2vec": (plain("word2vec", "Word2Vec", 6, 4), {}),
    "glove": (plain("glove", "GloVe", 6, 4), {}),
}


def test_every_model_is_here() -> None:
    assert {name.partition(",")[0] for name in NETWORKS} == set(model_names())


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_back_to_the_bit(name: str) -> None:
    build, images = NETWORKS[name]
    module, fresh = build(generator(0)), build(generator(1))
    state = module.state_dict()
    for array in state.values():  # biases and norms all have the same first values
        if array.dtype.kind == "f":
            array += generator(array.size).normal(size=array.shape)
    module.load_state_dict(state)
    interop.from_torch(fresh, interop.to_torch(module, **images), **images)
    back = fresh.state_dict()
    assert list(back) == list(state)
    for key, array in state.items():
        assert (back[key].dtype, back[key].shape) == (array.dtype, array.shape)
        assert back[key].tobytes() == array.tobytes(), key

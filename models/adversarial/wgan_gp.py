"""The Wasserstein GAN with a penalty on the critic's gradient.

I. Gulrajani et al. (2017), Improved training of Wasserstein GANs, https://arxiv.org/abs/1704.00028.

The game is that of wgan.py, whose loop is played here too. A critic that is best has slope 1 almost everywhere between
images and samples (proposition 1), so instead of cutting its weights its gradient is held near 1, at random places x̂ of
lines between images and samples:

    L = E_z[C(G(z))] - E_x[C(x)] + λ E[(|∇C(x̂)| - 1)²]                                       (equation 3)

The gradient of the penalty in the critic's weights is a gradient of a gradient, which is an ordinary one here (mg.grad
with create_graph=True). No batch norm in the critic: the penalty is for each image by itself (section 4). Sizes are
those of the authors' script for MNIST: three transposed 5×5 convolutions from 4×4×256, a critic of 64, 128 and 256
channels, λ = 10, Adam with betas 0.5 and 0.9. Their images are from 0 to 1, and their training is 40 times as long.

What to expect on MNIST: `distance`, the estimate of W, rises in the first epoch, and then falls while samples become
better.
"""

from dataclasses import dataclass

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.models.adversarial.dcgan import check_image
from minigen.models.adversarial.wgan import play
from minigen.models.parts.game import GAN, draw, measure, noise, restored
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import ImageShape, Request, saved_shape
from minigen.models.parts.options import require_decay, require_positive
from minigen.training import Run, RunFolder

TINY = 1e-24  # of a squared norm; its root has a slope


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    latent: int = 128  # how many numbers of noise z an image is made from
    width: int = 64  # channels of the critic's first layer; its last and the generator's first have 4 times as many
    critic_steps: int = 5  # steps of the critic for each of the generator
    penalty: float = 10.0  # λ, the weight of the gradient penalty
    epochs: int = 20  # passes over the training images
    batch_size: int = 50  # images a step of the critic; what is left of an epoch is left out
    lr: float = 1e-4  # learning rate of Adam, for both networks
    ema: float | None = None  # average G's weights, by so much of the old ones a step, such as 0.999, to draw with
    seed: int = 0  # decides everything random: weights, order of the images, z, x̂
    max_steps: int | None = None  # stop after so many steps of G, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "width", "critic_steps", "penalty")
        require_positive(self, "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)


# ---------------------------------------------------------------- the networks


def generator(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> layers.Sequential:
    """z (N, latent) → images (N, H, W, C) in [-1, 1]: maps of an eighth of the size, rounded up, are doubled thrice.

    Those of a quarter are cut to H/4 and W/4 where that is odd: of 28×28 the maps are 4×4, 7×7 and 14×14.
    """
    height, width, channels = image
    eighth = (-(-height // 8), -(-width // 8))
    wide = 4 * recipe.width
    doubled = {"kernel_size": 5, "stride": 2, "padding": 2, "rng": rng}
    last = (height // 4 - 2 * eighth[0] + 1, width // 4 - 2 * eighth[1] + 1)  # 0 or 1: from n to 2n - 1, or to 2n
    return layers.Sequential(
        layers.Linear(recipe.latent, eighth[0] * eighth[1] * wide, rng=rng),
        layers.ReLU(),
        layers.Reshape(*eighth, wide),
        layers.ConvTranspose2d(wide, wide // 2, output_padding=last, **doubled),
        layers.ReLU(),
        layers.ConvTranspose2d(wide // 2, wide // 4, output_padding=1, **doubled),
        layers.ReLU(),
        layers.ConvTranspose2d(wide // 4, channels, output_padding=1, **doubled),
        layers.Tanh(),
    )


def critic(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> layers.Sequential:
    """Images (N, H, W, C) → C(x), (N, 1): three convolutions that halve height and width, rounded up."""
    height, width, channels = image
    halved = {"kernel_size": 5, "stride": 2, "padding": 2, "rng": rng}
    wide = recipe.width
    return layers.Sequential(
        layers.Conv2d(channels, wide, **halved),
        layers.LeakyReLU(0.2),
        layers.Conv2d(wide, 2 * wide, **halved),
        layers.LeakyReLU(0.2),
        layers.Conv2d(2 * wide, 4 * wide, **halved),
        layers.LeakyReLU(0.2),
        layers.Flatten(),
        layers.Linear(-(-height // 8) * -(-width // 8) * 4 * wide, 1, rng=rng),
    )


def build(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> GAN:
    """Both networks with their first weights. Raises ArgumentError when the images can not be halved twice."""
    check_image("wgan_gp", image)
    return GAN(generator(image, recipe, rng), critic(image, recipe, rng), image)


# ---------------------------------------------------------------- the penalty


def gradient_penalty(critic: layers.Module, real: Tensor, fake: Tensor, rng: np.random.Generator) -> Tensor:
    """E[(|∇ critic(x̂)| - 1)²], each x̂ at a random place on the line between an image and a sample.

    real, fake (N, H, W, C). The norm is over all numbers of an image. Equation 3.
    """
    share = mg.rand(len(real), *[1] * (real.ndim - 1), rng=rng, dtype=real.dtype)
    between = (real * share + fake * (1.0 - share)).detach().requires_grad_()
    (gradient,) = mg.grad(critic(between).sum(), between, create_graph=True)
    squares = (gradient * gradient).sum(tuple(range(1, real.ndim)))
    norms = mg.sqrt(mg.maximum(squares, TINY))  # a slope of 0 has no direction to grow in
    return ((norms - 1.0) * (norms - 1.0)).mean()


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Algorithm 1, by the loop of wgan.py, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    images = data.load(recipe.data, "train", range=(-1, 1), size=recipe.size)
    model = build(images.image_shape, recipe, rng)
    players = (model.generator, model.discriminator)
    g_optimizer, c_optimizer = (optim.Adam(player.parameters(), lr=recipe.lr, betas=(0.5, 0.9)) for player in players)

    def penalty(real: Tensor, fake: Tensor) -> Tensor:
        return recipe.penalty * gradient_penalty(model.discriminator, real, fake, rng)

    play(model, images, recipe, run, rng, (g_optimizer, c_optimizer), penalty=penalty)


def load(run: RunFolder) -> GAN:
    """Both networks of a run, as they were saved last."""
    return restored(build(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0)), run)


# ---------------------------------------------------------------- sampling and evaluation


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1]."""
    return draw(load(run), noise(request.n, run.load_recipe(Recipe).latent, rng))


def evaluate(run: RunFolder) -> dict[str, float]:
    """How good samples are, what the critic says of them, and how their pixels are spread; see game.measure."""
    return measure(load(run), run, run.load_recipe(Recipe).latent, None)

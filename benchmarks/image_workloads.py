"""More reference workloads, on images, in minigen: LeNet-5, a penalised critic, a U-Net, a PixelCNN, films.

The same steps are in `image_torch_workloads.py` and `image_jax_workloads.py`; the others in `workloads.py`.
"""

import minigen as mg
from minigen import layers, optim
from minigen.benchmarks.workloads import Step, training, uniform
from minigen.layers import Conv2d, Flatten, LeakyReLU, Linear, MaxPool2d, ReLU
from minigen.models.likelihood import pixel_cnn as pixels
from minigen.models.parts.unet import UNet
from minigen.models.vision import moving_mnist as moving

PENALTY = 10.0  # weight of the gradient penalty


def lenet5(batch: int) -> Step:
    """LeNet-5 with ReLU and max pooling, 44,426 parameters; SimpleChains.jl trains it on 60,000 digits, 10 epochs."""
    rng = mg.random.generator(0)
    model = layers.Sequential(
        Conv2d(1, 6, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 16, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(256, 120, rng=rng),
        ReLU(),
        Linear(120, 84, rng=rng),
        ReLU(),
        Linear(84, 10, rng=rng),
    )
    x, y = uniform(rng, batch, 28, 28, 1), rng.integers(0, 10, batch)
    return training(model.parameters(), 3e-4, lambda: mg.cross_entropy(model(x), y))


def wgan_gp(batch: int) -> Step:
    """The critic's step of WGAN-GP (Gulrajani et al. 2017), whose penalty is of second order; 5×5 stride 2 to 256."""
    rng = mg.random.generator(0)
    critic = layers.Sequential(
        Conv2d(1, 64, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Conv2d(64, 128, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Conv2d(128, 256, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Flatten(),
        Linear(4 * 4 * 256, 1, rng=rng),
    )
    optimizer = optim.Adam(critic.parameters(), 1e-4, betas=(0.5, 0.9))
    real, fake = uniform(rng, batch, 28, 28, 1), uniform(rng, batch, 28, 28, 1)

    @mg.record
    def step() -> mg.Tensor:
        share = mg.rand(batch, 1, 1, 1, rng=rng)
        between = (real * share + fake * (1.0 - share)).detach().requires_grad_()
        (gradient,) = mg.grad(critic(between).sum(), [between], create_graph=True)
        norms = (gradient * gradient).sum((1, 2, 3)).sqrt()
        loss = critic(fake).mean() - critic(real).mean() + PENALTY * ((norms - 1.0) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step().item()


# ---------------------------------------------------------------- diffusion


def unet(batch: int) -> Step:
    """A step of diffusion (Ho et al. 2020, Algorithm 1): the noise of images at random times is predicted."""
    rng = mg.random.generator(0)
    model, x = UNet((28, 28, 1), 0, 32, rng), uniform(rng, batch, 28, 28, 1)

    def loss() -> mg.Tensor:
        noise, share = mg.randn(batch, 28, 28, 1, rng=rng), mg.rand(batch, rng=rng)
        kept = share.reshape(batch, 1, 1, 1)
        noisy = x * kept.sqrt() + noise * (1.0 - kept).sqrt()
        return mg.mse_loss(model(noisy, share), noise)

    return training(model.parameters(), 2e-4, loss)


# ---------------------------------------------------------------- pixel after pixel, frame after frame


def pixel_cnn(batch: int) -> Step:
    """Images of zeros and ones by a gated PixelCNN (van den Oord et al. 2016): 8 layers of 32 channels."""
    rng = mg.random.generator(0)
    model = pixels.PixelCNN((28, 28, 1), 0, pixels.Recipe(), rng)
    x = mg.tensor((rng.random((batch, 28, 28, 1)) < 0.2).astype("float32"))
    return training(model.parameters(), 1e-3, lambda: pixels.negative_log_likelihood(model, x, None))


def conv_lstm(batch: int) -> Step:
    """Ten frames of 64×64 go on for ten more, by two convolutional LSTMs of 32 channels (Shi et al. 2015)."""
    rng = mg.random.generator(0)
    model, films = moving.Forecaster(moving.Recipe(), rng), uniform(rng, batch, 20, 64, 64, 1)
    loss = mg.binary_cross_entropy_with_logits
    return training(model.parameters(), 1e-3, lambda: loss(model(films[:, :10], 10), films[:, 1:]))

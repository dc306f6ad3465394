"""What is measured, and on which sides. A new workload is one entry here, and a function of that name on each side."""

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Workload:
    """A training step, or a text of 64 characters: the function that builds it on every side, its batch size, its work.

    gflop: multiply-adds of the step, counted as two operations, in 10⁹; the same number for all sides; 0: not counted.
    """

    build: str
    batch: int
    gflop: float
    kind: str = ""  # "image_": the functions are in files whose names begin so


@dataclass(frozen=True)
class Side:
    """A library: the file with its steps, what else their functions are told, and what its process must be told."""

    package: str
    file: str
    options: tuple[bool, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


WORKLOADS = {
    "gan_mlp_b64": Workload("gan_mlp", 64, 0.83),
    "dcgan_b64": Workload("dcgan", 64, 23.7),
    "vae_mlp_b128": Workload("vae_mlp", 128, 0.54),
    "cnn_mnist_b64": Workload("cnn_mnist", 64, 4.6),
    "tiny_mlp_b8": Workload("tiny_mlp", 8, 0.0),
    "lstm2x256_b64t64": Workload("lstm2x256", 64, 26.2),
    "lstm1x128_b64t64": Workload("lstm1x128", 64, 3.4),
    "gpt4x128_b12t128": Workload("gpt4x128", 12, 8.4),
    "generate_lstm2x256": Workload("generate_lstm2x256", 1, 0.14),
    "gru64_b32t64": Workload("gru64", 32, 0.3),
    "lenet5_b2048": Workload("lenet5", 2048, 3.1, "image_"),
    "wgan_gp_b50": Workload("wgan_gp", 50, 0.0, "image_"),
    "unet_b64": Workload("unet", 64, 0.0, "image_"),
    "pixel_cnn_b16": Workload("pixel_cnn", 16, 0.0, "image_"),
    "conv_lstm_b8": Workload("conv_lstm", 8, 0.0, "image_"),
}
SCALED = ("gan_mlp_b64", "vae_mlp_b128", "cnn_mnist_b64", "lstm1x128_b64t64")  # over the batch size
THREADED = ("dcgan_b64", "cnn_mnist_b64", "lstm2x256_b64t64")  # with one thread and with all

SIDES = {
    "minigen": Side("minigen", "workloads.py"),
    "torch": Side("torch", "torch_workloads.py", (False,)),
    "torch.compile": Side("torch", "torch_workloads.py", (True,)),
    "jax": Side("jax", "jax_workloads.py", environment=(("JAX_PLATFORMS", "cpu"),)),
}
PEERS = tuple(name for name in SIDES if name != "minigen")
REFERENCE = "torch"  # the peer that the README's claim is about: PyTorch as it comes, eager


@dataclass(frozen=True)
class Plan:
    """One run of the benchmark: which workloads and peers, on how many cores, how often and how long.

    turn: seconds that one side runs before the next takes over. cases, seed: of the atlas.
    """

    workloads: tuple[str, ...]
    peers: tuple[str, ...]
    threads: int
    rounds: int
    turn: float
    quick: bool = False
    cases: int = 160
    seed: int = 0


def absent(peers: tuple[str, ...]) -> list[str]:
    """The packages, of those that `peers` need, that are not installed."""
    packages = dict.fromkeys(SIDES[peer].package for peer in peers)
    return [package for package in packages if find_spec(package) is None]

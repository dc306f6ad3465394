"""Sample calls of activations and normalizations beyond the first ones; `samples.py` joins them to the others."""

from collections.abc import Iterator

from minigen.autograd.verify.sample import Sample, away, exactly, normal, sample


def activations() -> Iterator[Sample]:
    """Elementwise, gated, and with a learned slope."""
    for name in ("relu6", "hardswish", "selu"):
        yield sample(name, away(3, 4))
    yield sample("relu6", exactly([-1.0, 0.5, 5.5, 6.5, 9.0]))
    yield sample("hardswish", exactly([-5.0, -2.5, -0.5, 0.5, 2.5, 5.0]))
    for name in ("mish", "log_sigmoid"):
        yield sample(name, normal(3, 4))
        yield sample(name, exactly([-8.0, -3.0, 0.0, 3.0, 8.0]))
    yield sample("prelu", away(2, 3, 4), normal(4))
    yield sample("prelu", away(2, 3), normal(1))
    yield sample("prelu", away(3), normal())
    yield sample("glu", normal(3, 4))
    yield sample("glu", normal(2, 6, 3), axis=1)
    yield sample("gumbel_softmax", normal(3, 5), exactly(3))
    yield sample("gumbel_softmax", normal(3, 5), exactly(3), tau=0.5, axis=0)


def normalizations() -> Iterator[Sample]:
    """Within each item."""
    yield sample("group_norm", normal(2, 3, 2, 4), normal(4), normal(4), num_groups=2)
    yield sample("group_norm", normal(2, 3, 4), num_groups=1, eps=0.1)
    yield sample("group_norm", normal(3, 4), normal(4), num_groups=2)
    yield sample("instance_norm", normal(2, 3, 2, 3), normal(3), normal(3))
    yield sample("instance_norm", normal(2, 5, 3), eps=0.1)
    yield sample("rms_norm", normal(2, 3, 4), normal(4))
    yield sample("rms_norm", normal(4), eps=0.1)


def layers() -> Iterator[Sample]:
    """All of them."""
    yield from activations()
    yield from normalizations()

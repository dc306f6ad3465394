"""Sample calls of operations on images, sequences and volumes beyond conv2d and its pools; joined by `samples.py`."""

from collections.abc import Iterator

from minigen.autograd.verify.sample import Sample, distinct, exactly, normal, sample


def convolutions() -> Iterator[Sample]:
    """Along one axis, and along three."""
    for options in ({}, {"stride": 2, "padding": 1}, {"padding": "same", "dilation": 2}, {"padding": "valid"}):
        yield sample("conv1d", normal(2, 7, 2), normal(3, 2, 3), normal(3), **options)
    yield sample("conv1d", normal(1, 5, 4), normal(2, 2, 6), groups=2)
    yield sample("conv1d", normal(2, 5, 2), normal(4, 2, 1), padding="same", stride=2)
    for options in ({}, {"stride": 2, "padding": 1, "output_padding": 1}, {"stride": 2, "padding": "same"}):
        yield sample("conv_transpose1d", normal(2, 4, 3), normal(3, 2, 3), normal(2), **options)
    yield sample("conv_transpose1d", normal(1, 3, 4), normal(2, 3, 4), groups=2, dilation=2)
    for options in ({}, {"stride": (2, 1, 2), "padding": (1, 0, 1)}, {"padding": "same", "dilation": (1, 2, 1)}):
        yield sample("conv3d", normal(2, 4, 4, 5, 2), normal(2, 3, 2, 2, 3), normal(3), **options)
    yield sample("conv3d", normal(1, 3, 3, 3, 4), normal(2, 2, 2, 2, 2), groups=2, dilation=(2, 1, 1))


def resizing() -> Iterator[Sample]:
    """Pooling and resizing to any size."""
    for name, make in (("max_pool1d", distinct), ("avg_pool1d", normal)):
        yield sample(name, make(2, 6, 2), kernel_size=2)
        yield sample(name, make(2, 5, 2), kernel_size=3, stride=2, padding=1)
    for name, make in (("adaptive_avg_pool2d", normal), ("adaptive_max_pool2d", distinct)):
        for size in (1, 3, (2, None), (4, 7), (2, 3)):
            yield sample(name, make(2, 5, 6, 2), output_size=size)
        yield sample(name, make(1, 4, 6, 1), output_size=2)
    x = normal(2, 4, 5, 2)
    for mode in ("nearest", "bilinear", "bicubic"):
        for options in ({"size": (7, 3)}, {"size": 4}, {"scale_factor": 2}, {"scale_factor": (0.5, 1.7)}):
            yield sample("resize", x, mode=mode, **options)
        yield sample("resize", x, mode=mode, scale_factor=(2.3, 1.1))  # the columns stay, as in PyTorch
        if mode != "nearest":
            yield sample("resize", x, mode=mode, size=(7, 1), align_corners=True)
            yield sample("resize", normal(1, 1, 3, 1), mode=mode, scale_factor=2, align_corners=True)


def rearranging() -> Iterator[Sample]:
    """Pixels in other places, and around the edge."""
    yield sample("pixel_shuffle", normal(2, 2, 3, 8), upscale_factor=2)
    yield sample("pixel_shuffle", normal(1, 1, 2, 9), upscale_factor=3)
    yield sample("pixel_unshuffle", normal(2, 4, 6, 2), downscale_factor=2)
    for options in ({}, {"stride": 2, "padding": 1}, {"dilation": (1, 2), "padding": (0, 1)}):
        yield sample("unfold", normal(2, 4, 5, 2), kernel_size=(2, 3), **options)
    yield sample("fold", normal(2, 9, 8), output_size=(4, 4), kernel_size=2)
    yield sample("fold", normal(1, 4, 12), output_size=(3, 4), kernel_size=(2, 3), stride=2, padding=1)
    yield sample("fold", normal(1, 4, 4), output_size=(4, 4), kernel_size=2, dilation=2)
    for mode in ("reflect", "replicate", "circular"):
        yield sample("pad", normal(3, 4), pad_width=2, mode=mode)
        yield sample("pad", normal(1, 3, 4, 2), pad_width=((0, 0), (2, 1), (0, 3), (0, 0)), mode=mode)


def dropping() -> Iterator[Sample]:
    """Dropout of whole channels."""
    yield sample("dropout2d", normal(2, 3, 2, 4), exactly(3), p=0.4)
    yield sample("dropout2d", normal(2, 3, 2, 4), exactly(3), p=0.4, training=False)


def images() -> Iterator[Sample]:
    """All of them."""
    yield from convolutions()
    yield from resizing()
    yield from rearranging()
    yield from dropping()

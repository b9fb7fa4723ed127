"""Architectures of encoder and decoder, built for the shape of the images."""

import math
from collections.abc import Callable, Sequence

from torch import nn

from pipeline.data.errors import DataError

Halves = tuple[nn.Module, nn.Module]
"""An encoder and a decoder."""


def build(network: str, shape: Sequence[int], hidden: int, outputs: int, latent: int) -> Halves:
    """Build encoder and decoder with PyTorch's default initialisation.

    Args:
        network: `mlp`, `mlp_shallow`, `conv` or `conv32`.
        shape: Channels, height and width of the images.
        hidden: Units of a hidden layer, or channels of conv32's first convolution.
        outputs: Number of outputs of the encoder.
        latent: Number of latent dimensions, the inputs of the decoder.

    Returns:
        The encoder, from images `(n, c, h, w)` to `(n, outputs)`, and the decoder, from latents `(n, latent)` to
        outputs that reshape to `(n, c, h, w)`.

    Raises:
        DataError: If the network takes no images of this size.
    """
    _, height, width = shape
    sides = SIDES.get(network)
    if sides and (height != width or height not in sides):
        raise DataError(
            f"network {network} takes images of {_sizes(sides)} pixels, and these are {height}x{width}; "
            f"{' and '.join(f'{name} takes {_sizes(SIDES[name])}' for name in SIDES if name != network)}, "
            "mlp and mlp_shallow take any size."
        )
    return NETWORKS[network](shape, hidden, outputs, latent)


def _sizes(sides: Sequence[int]) -> str:
    *most, last = (f"{side}x{side}" for side in sides)
    return f"{', '.join(most)} or {last}" if most else last


def _mlp(shape: Sequence[int], hidden: int, outputs: int, latent: int) -> Halves:
    """Two hidden layers each, ELU: the network of reports 000, 001 and 002."""
    pixels = math.prod(shape)
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, hidden),
        nn.ELU(),
        nn.Linear(hidden, hidden),
        nn.ELU(),
        nn.Linear(hidden, outputs),
    )
    decoder = nn.Sequential(
        nn.Linear(latent, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), nn.Linear(hidden, pixels)
    )
    return encoder, decoder


def _mlp_shallow(shape: Sequence[int], hidden: int, outputs: int, latent: int) -> Halves:
    """One hidden layer each, ReLU: the network of report 004."""
    pixels = math.prod(shape)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels))
    return encoder, decoder


def _conv(shape: Sequence[int], hidden: int, outputs: int, latent: int) -> Halves:
    """Three convolutions and their mirror image, ELU: an older edition of the course of reports 000 and 002."""
    channels = shape[0]
    encoder = nn.Sequential(
        nn.Conv2d(channels, 32, 3), nn.ELU(), nn.AvgPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ELU(), nn.AvgPool2d(2),
        nn.Conv2d(64, 256, 5), nn.ELU(), nn.Flatten(), nn.Linear(256, outputs),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent, 256), nn.ELU(), nn.Unflatten(1, (256, 1, 1)),
        nn.Conv2d(256, 64, 5, padding=4), nn.ELU(), nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(64, 32, 3, padding=2), nn.ELU(), nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(32, 16, 3, padding=2), nn.ELU(), nn.Conv2d(16, channels, 3, padding=2),
    )  # fmt: skip
    return encoder, decoder


def _conv32(shape: Sequence[int], hidden: int, outputs: int, latent: int) -> Halves:
    """Four convolutions, and three transposed ones with one more, ReLU: the network of report 003 for `hidden` = 32."""
    channels, h, side = shape[0], hidden, shape[1] // 8
    encoder = nn.Sequential(
        nn.Conv2d(channels, h, 3, padding=1), nn.ReLU(),
        nn.Conv2d(h, 2 * h, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(2 * h, 4 * h, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4 * h, 8 * h, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(8 * h * side**2, outputs),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent, 4 * h * side**2), nn.ReLU(), nn.Unflatten(1, (4 * h, side, side)),
        nn.ConvTranspose2d(4 * h, 4 * h, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(4 * h, 2 * h, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(2 * h, h, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(h, channels, 3, padding=1),
    )  # fmt: skip
    return encoder, decoder


NETWORKS: dict[str, Callable[[Sequence[int], int, int, int], Halves]] = {
    "mlp": _mlp,
    "mlp_shallow": _mlp_shallow,
    "conv": _conv,
    "conv32": _conv32,
}
"""Makers of encoder and decoder from the shape of the images, the width, the encoder's outputs and the latent size."""

SIDES = {"conv": (28,), "conv32": (16, 32, 64)}
"""Sides in pixels of the square images that the convolutional networks take."""

"""Pieces that the rendered data sets share: resampling, colours, smooth noise, ground."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]


def bicubic(images: Floats, size: int) -> Floats:
    """Scale square images `(..., s, s)` up to `(..., size, size)` by PIL's bicubic filter, without rounding."""
    side = images.shape[-1]
    rows = Image.fromarray(np.eye(side, dtype=np.float32)).resize((side, size), Image.Resampling.BICUBIC)
    weights = np.asarray(rows, dtype=np.float64)
    scaled: Floats = weights @ images @ weights.T
    return scaled


def rgb(hue: Floats, saturation: Floats, value: Floats) -> Floats:
    """Turn HSV colours, each `(n,)` in [0, 1], into RGB `(n, 3, 1, 1)` in [0, 1]."""
    k = (np.array([5.0, 3.0, 1.0]) + 6 * hue[:, None]) % 6
    colour: Floats = value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(k, 4 - k), 0, 1))
    return colour[:, :, None, None]


def ramp(random: np.random.Generator, count: int, size: int) -> Floats:
    """Return ramps of zero mean and gradient 1 along random axes, bent by smooth noise; `(count, size, size)`."""
    axis = random.uniform(0, 2 * np.pi, (count, 1, 1))
    place = (np.arange(size) + 0.5) / size
    straight = np.cos(axis) * place + np.sin(axis) * place[:, None]
    bent: Floats = straight + 0.125 * bicubic(random.standard_normal((count, 5, 5)), size)
    bent -= bent.mean((1, 2), keepdims=True)
    return bent


def to_bytes(images: Floats) -> NDArray[np.uint8]:
    """Clamp images to [0, 1] and round them to 0..255."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)

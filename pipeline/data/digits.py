"""Scikit-learn's 1,797 handwritten digits, at the sizes of the sets they stand in for."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from sklearn.datasets import load_digits

from pipeline.data.render import Floats, bicubic, ramp, rgb, to_bytes
from pipeline.data.splits import Split, Splits, generator, parted

COUNTS = {"train": 1297, "valid": 250, "test": 250}
CONTRAST = 1.5


@cache
def _enlarged(size: int, frame: int) -> Splits:
    """Return the digits, 8x8 counts of 0..16, scaled to `size` x `size` in a black frame of `frame` pixels."""
    digits = load_digits()
    # the stretch about the middle grey undoes the blur of the interpolation: strokes reach white, the ground is black
    large = 0.5 + CONTRAST * (bicubic(digits.images / 16, size) - 0.5)
    images = to_bytes(np.pad(large, ((0, 0), (frame, frame), (frame, frame))))
    return parted(Split(images[:, None], digits.target.astype(np.int64)), COUNTS, seed=0)


def _digits28() -> Splits:
    return _enlarged(20, frame=4)  # the proportions of MNIST


def digits28() -> Splits:
    """Return the digits scaled to 20x20 in a frame of 28x28, in 256 grey levels."""
    return dict(_digits28())


def digits16() -> Splits:
    """Return the digits scaled to 12x12 in a frame of 16x16, in 256 grey levels; the splits are those of `digits28`."""
    return dict(_enlarged(12, frame=2))


def binarized_digits28() -> Splits:
    """Return the digits at 28x28, each pixel sampled once: 0 or 1, its grey level the probability of 1.

    Reference: Salakhutdinov & Murray, On the Quantitative Analysis of Deep Belief Networks, ICML 2008.
    """
    random = generator(28)
    return {
        name: Split((random.integers(0, 255, split.images.shape) < split.images).astype(np.uint8), split.labels)
        for name, split in _digits28().items()
    }


def street_digits32(train: int = 4000, test: int = 2000) -> Splits:
    """Render coloured digits on textured ground, some with neighbours at the sides, as in cropped house numbers.

    Images of the training split show digits of the training split of `digits28`, those of the test split all others.
    """
    digits = _digits28()
    other = [digits["valid"], digits["test"]]
    rest = Split(
        np.concatenate([split.images for split in other]),
        np.concatenate([split.labels for split in other if split.labels is not None]),
    )
    return {"train": _street(digits["train"], train, seed=0), "test": _street(rest, test, seed=1)}


def street_digits16(train: int = 4000, test: int = 2000) -> Splits:
    """Return the images of `street_digits32` at half the size: each pixel is the mean of 2x2."""
    return {
        name: Split(to_bytes(split.images.reshape(-1, 3, 16, 2, 16, 2).mean((3, 5)) / 255), split.labels)
        for name, split in street_digits32(train, test).items()
    }


def _street(digits: Split, count: int, seed: int) -> Split:
    random = generator(32, seed)
    which = random.integers(0, len(digits), (3, count))  # left neighbour, centre, right neighbour
    shown = np.stack([random.random(count) < 0.5, np.ones(count, bool), random.random(count) < 0.5])
    stroke = np.max([_placed(digits, which[k], random, k - 1) * shown[k, :, None, None] for k in range(3)], axis=0)
    value = random.uniform(0.1, 0.9, count)
    # figure and ground differ in brightness by 0.3 or more, in either direction
    contrast = random.uniform(0.3, 0.7, count) * np.where(value < random.uniform(0.3, 0.7, count), 1, -1)
    ground = rgb(random.random(count), random.uniform(0, 0.7, count), value)
    figure = rgb(random.random(count), random.uniform(0, 0.7, count), np.clip(value + contrast, 0.02, 1))
    shade = random.standard_normal((count, 3, 1, 1)) * 0.15 * ramp(random, count, 32)[:, None]
    blotches = 0.05 * bicubic(random.standard_normal((count, 12, 12)), 32)[:, None]
    noise = 0.02 * random.standard_normal((count, 3, 32, 32))
    images = ground + stroke[:, None] * (figure - ground) + shade + blotches + noise
    return Split(to_bytes(images), digits[which[1]].labels)


def _placed(digits: Split, which: NDArray[np.int64], random: np.random.Generator, side: int) -> Floats:
    """Return digits rendered at 32x32 with a random size, slant and place, `side` digit widths beside the centre."""
    count = len(which)
    high = random.uniform(0.7, 1.05, count)[:, None, None]  # in the digit's own pixels per pixel of the image
    wide = high * random.uniform(0.9, 1.25, count)[:, None, None]
    slant = random.uniform(-0.2, 0.2, count)[:, None, None]
    shift = random.uniform(-2, 2, (2, count))[..., None, None]
    place = np.arange(32) - 15.5
    y = high * (place[:, None] - shift[0])
    x = wide * (place - shift[1]) + slant * y - side * random.uniform(14, 18, count)[:, None, None]
    at = np.broadcast_arrays(which[:, None, None], y + 13.5, x + 13.5)
    placed: Floats = map_coordinates(digits.images[:, 0] / 255, at, order=1)
    return placed

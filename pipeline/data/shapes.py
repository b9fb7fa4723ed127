"""Ten shape classes, light on dark, rendered at 32x32.

Fixed polarity and weak tint leave place, size, angle and brightness as nuisance, which the usual augmentations cover,
so that class is what remains. With free colours an image is recognised under crops by its mean colour and polarity
rather than by its class, and self-supervised learning finds those first.
"""

import numpy as np

from pipeline.data.registry import SHAPES
from pipeline.data.render import Floats, ramp, rgb, to_bytes
from pipeline.data.splits import Split, Splits, generator

SIZE = 32
FINE = 2 * SIZE  # shapes are rendered on this grid and averaged over 2x2 blocks


def shapes32(train: int = 4000, test: int = 2000) -> Splits:
    """Render `train` and `test` images, all classes equally often (but for the remainder of a division by ten)."""
    return {"train": _render(train, seed=0), "test": _render(test, seed=1)}


def _render(count: int, seed: int) -> Split:
    random = generator(seed)
    labels = random.permutation(np.arange(count) % len(SHAPES))
    radius = random.uniform(7.5, 12.5, count)
    centre = SIZE / 2 + random.uniform(-3.5, 3.5, (2, count))
    angle = random.uniform(0, 2 * np.pi, count)
    light = random.uniform(0.55, 1.15, (count, 1, 1, 1))
    ground = rgb(random.random(count), random.uniform(0.1, 0.6, count), random.uniform(0.15, 0.35, count)) * light
    figure = rgb(random.random(count), random.uniform(0, 0.4, count), random.uniform(0.8, 1, count)) * light
    # half of a grey gradient between two colours that differ by 0.175 N(0, 1) per channel
    texture = 0.5 * 0.175 * random.standard_normal((count, 3)).mean(1)[:, None, None] * ramp(random, count, SIZE)
    noise = 0.04 * random.standard_normal((count, 3, SIZE, SIZE))
    images = np.empty((count, 3, SIZE, SIZE), np.uint8)
    for label in range(len(SHAPES)):
        at = np.flatnonzero(labels == label)
        cover = _cover(label, radius[at], centre[:, at], angle[at])[:, None]
        back = ground[at] + texture[at, None]
        images[at] = to_bytes(back + cover * (figure[at] - back) + noise[at])
    return Split(images, labels.astype(np.int64))


def _cover(label: int, radius: Floats, centre: Floats, angle: Floats) -> Floats:
    """Return the share of each pixel that the shape covers, `(n, SIZE, SIZE)`; radius and centre `(2, n)` in pixels."""
    place = (np.arange(FINE) + 0.5) * SIZE / FINE
    x = place - centre[0, :, None, None]
    y = place[:, None] - centre[1, :, None, None]
    cos, sin, scale = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None], radius[:, None, None]
    distance = signed_distance(label, (cos * x + sin * y) / scale, (cos * y - sin * x) / scale) * scale
    fine: Floats = np.clip(0.5 - distance * FINE / SIZE, 0, 1)
    cover: Floats = fine.reshape(-1, SIZE, 2, SIZE, 2).mean((2, 4))
    return cover


def signed_distance(label: int, x: Floats, y: Floats) -> Floats:
    """Return a bound of the distance to the edge of a shape of radius about 1, negative inside; `x`, `y` broadcast."""
    distance: Floats
    match SHAPES[label]:
        case "disc":
            distance = _disc(x, y, 1)
        case "ring":
            distance = np.maximum(_disc(x, y, 1), -_disc(x, y, 0.55))
        case "square":
            distance = _box(x, y, 0.85, 0.85)
        case "frame":
            distance = np.maximum(_box(x, y, 0.88, 0.88), -_box(x, y, 0.48, 0.48))
        case "triangle":
            distance = np.maximum(np.maximum(y, 0.75**0.5 * x - 0.5 * y), -(0.75**0.5) * x - 0.5 * y) - 0.5
        case "cross":
            distance = np.minimum(_box(x, y, 0.95, 0.3), _box(x, y, 0.3, 0.95))
        case "star":
            distance = _star(x, y, 0.42)
        case "bars":
            distance = _box(x, np.abs(y) - 0.55, 0.9, 0.3)
        case "moon":
            distance = np.maximum(_disc(x, y, 1), -_disc(x - 0.5, y, 0.75))
        case _:
            distance = np.maximum(_box(x, y, 0.85, 0.85), -np.sign(x * y) * np.minimum(np.abs(x), np.abs(y)))
    return distance


def _disc(x: Floats, y: Floats, radius: float) -> Floats:
    distance: Floats = np.hypot(x, y) - radius
    return distance


def _box(x: Floats, y: Floats, wide: float, high: float) -> Floats:
    distance: Floats = np.maximum(np.abs(x) - wide, np.abs(y) - high)
    return distance


def _star(x: Floats, y: Floats, inner: float) -> Floats:
    """Five points at radius 1 and five notches at radius `inner`: folded onto one edge between a point and a notch."""
    sector = np.pi / 5
    fold = np.abs((np.arctan2(y, x) + sector) % (2 * sector) - sector)
    radius = np.hypot(x, y)
    edge = np.array([inner * np.cos(sector) - 1, inner * np.sin(sector)])
    edge /= np.hypot(*edge)
    distance: Floats = edge[1] * (radius * np.cos(fold) - 1) - edge[0] * radius * np.sin(fold)
    return distance

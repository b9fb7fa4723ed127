r"""Paths between samples of a generator or decoder: how evenly images change, and whether some lie between classes.

Samples of N(0, I) in many dimensions all have about the same norm, and their mean is shorter: halfway along a straight
line lie latents that training has hardly seen, and what is special about their images need not come from lying between
two others. So paths are measured on the sphere, too, where direction and norm change at a constant rate,

$$z_\alpha = \big((1-\alpha) |a| + \alpha |b|\big)
\frac{\sin((1-\alpha)\omega)\, a/|a| + \sin(\alpha\omega)\, b/|b|}{\sin\omega}, \qquad
\cos\omega = \frac{a \cdot b}{|a| |b|}.$$

Reference: White, Sampling Generative Networks, 2016.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pipeline.metrics.pictures import entropy

STEPS = 10  # of a path
PATHS = 200  # that are measured, at most
PANELS = 12  # of report 004's picture of a path
PAIR = ("7", "9")  # classes between which report 004 sees pictures
BOTH = 0.25  # probability that a picture between two classes has of each
TINY = 1e-12  # instead of a length of 0, where all images are the same

Classify = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Returns features `(n, f)` and logits `(n, classes)` of the images of latents `(n, d)`."""


def linear(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return latents on the straight lines from `first` `(n, d)`, where share is 0, to `second`."""
    return torch.lerp(first, second, share)


def spherical(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return latents on the arcs from `first` `(n, d)`, where share is 0, to `second`; opposite ones have no arc."""
    here, there = (ends.norm(dim=1, keepdim=True) for ends in (first, second))
    a, b = first / here, second / there
    angle = (a * b).sum(1, keepdim=True).clamp(-1 + 1e-7, 1 - 1e-7).acos()
    direction = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
    arcs: Tensor = direction * torch.lerp(here, there, share)
    return arcs


WAYS = {"linear": linear, "spherical": spherical}


def walk(ends: Tensor) -> Tensor:
    """Return latents `(12, d)` on the straight line between two `(2, d)`."""
    return torch.stack([linear(ends[0], ends[1], panel / (PANELS - 1)) for panel in range(PANELS)])


def measure(classify: Classify, latents: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Measure paths between samples of N(0, I), and between those that a classifier takes for the classes of `PAIR`.

    Args:
        classify: Generates images of latents, and classifies them.
        latents: Samples, `(n, d)`.
        labels: What the classifier takes their images for, `(n,)`.
        classes: Names of the classes.

    Returns:
        For each of `WAYS`, over paths between the first half of the samples and the second: `stride`, the mean of the
        largest step's share of the path in feature space; `rise`, the mean of the entropy (nats) of the class
        probabilities halfway, minus the mean of that at the ends; and their standard errors `stride_error` and
        `rise_error`. Where there are classes of `PAIR`: `pairs`, the number of paths from one to the other, and
        `between`, the number of those that pass a picture which has at least `BOTH` of each.
    """
    half = min(PATHS, len(latents) // 2)
    ends = latents[:half], latents[half : 2 * half]
    found = {way: _evenness(*_along(classify, way, *ends)) for way in WAYS}
    if set(PAIR) <= set(classes):
        places = [list(classes).index(name) for name in PAIR]
        chosen = [latents[labels == place] for place in places]
        count = min(PATHS, *map(len, chosen))
        for way, values in found.items():
            values |= {"pairs": float(count), "between": 0.0}
            if count:
                _, likely = _along(classify, way, chosen[0][:count], chosen[1][:count])
                both = (likely[..., places] >= BOTH).all(2).any(0)
                values["between"] = float(both.sum())
    return found


def _along(classify: Classify, way: str, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return features `(steps + 1, n, f)` and class probabilities `(steps + 1, n, classes)` along n paths."""
    stops = [classify(WAYS[way](first, second, step / STEPS)) for step in range(STEPS + 1)]
    features, logits = (torch.stack(parts).double() for parts in zip(*stops, strict=True))
    return features, logits.softmax(2)


def _evenness(features: Tensor, likely: Tensor) -> dict[str, float]:
    steps = (features[1:] - features[:-1]).norm(dim=2)
    strides = steps.amax(0) / steps.sum(0).clamp_min(TINY)
    along = entropy(likely)
    rises = along[STEPS // 2] - (along[0] + along[-1]) / 2
    values: dict[str, float] = {}
    for name, each in (("stride", strides), ("rise", rises)):
        values |= {
            name: each.mean().item(),
            f"{name}_error": (each.std(correction=0) / max(1, len(each) - 1) ** 0.5).item(),
        }
    return values

"""Real images with known damage: what a difference between two scores means, seen on images that everybody knows."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

NOISY = 10  # of so many images one is replaced by noise


def damaged(images: Tensor, labels: Tensor | None, random: torch.Generator) -> dict[str, Tensor]:
    """Return the same images with each kind of damage, uint8 `(n, c, h, w)`.

    `blurred`: each pixel is the mean of the 3x3 around it. `class_missing`: without the images of class 0, where there
    are labels and other classes. `tenth_noise`: every tenth image is uniform noise.

    Args:
        images: Real images, uint8 `(n, c, h, w)`.
        labels: Their classes, int64 `(n,)`, where they are known.
        random: Source of the noise, on the CPU.
    """
    blurred = avg_pool2d(images.float(), 3, stride=1, padding=1, count_include_pad=False).round().to(torch.uint8)
    noisy = images.clone()
    noise = torch.randint(256, noisy[::NOISY].shape, generator=random, dtype=torch.uint8)
    noisy[::NOISY] = noise.to(images.device)
    found = {"blurred": blurred, "tenth_noise": noisy}
    if labels is not None and (kept := labels != 0).any() and not kept.all():
        found["class_missing"] = images[kept]
    return found

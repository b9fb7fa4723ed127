"""What can be measured of images without a reference: sharpness, colour, and how a classifier's labels are spread."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def sharpness(images: Tensor) -> Tensor:
    """Return the variance over pixels of the Laplacian of each grey image, `(n,)`, for images in [0, 1] `(n, c, h, w)`.

    Reference: Pech-Pacheco et al., Diatom Autofocusing in Brightfield Microscopy, ICPR 2000.
    """
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=images.device)
    laplacian = conv2d(images.mean(1, keepdim=True), kernel[None, None])
    variance: Tensor = laplacian.flatten(1).var(1)
    return variance


def colour(images: Tensor) -> Tensor:
    """Return the mean of each channel, `(n, c)`, of images `(n, c, h, w)`."""
    return images.float().mean((2, 3))


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy in nats over the last axis, with 0 log 0 = 0."""
    summed: Tensor = torch.special.xlogy(probabilities, probabilities).sum(-1)
    return -summed


def shares(labels: Tensor, classes: int) -> Tensor:
    """Return the share of each class among labels `(n,)`, float64 `(classes,)`."""
    return torch.bincount(labels, minlength=classes).double() / len(labels)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Return half the sum of absolute differences of two distributions `(k,)`."""
    return (p - q).abs().sum().item() / 2


def mean_distance(features: Tensor) -> float:
    """Return the mean distance between two different rows of features `(n, d)`."""
    n = len(features)
    return torch.cdist(features.double(), features.double()).sum().item() / (n * (n - 1))

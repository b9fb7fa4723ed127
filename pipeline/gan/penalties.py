r"""Penalties on the gradient of the critic with respect to its input, differentiable in the critic's weights.

With the gradient $g = \nabla_x C(x)$ of the critic's raw output at each point:

| penalty | value                        | points by default | reference                         |
|---------|------------------------------|-------------------|-----------------------------------|
| r1      | E ||g||^2                    | real              | Mescheder et al. 2018 (no factor 1/2) |
| r2      | E ||g||^2                    | fake              | the same                          |
| gp      | E (||g|| - 1)^2              | interpolated      | Gulrajani et al. 2017             |
| lp      | E max(0, ||g|| - 1)^2        | interpolated      | Petzka et al. 2018                |

The norm is over all pixels of one image; one point between a real and a fake image is sampled per pair.
"""

import torch
from torch import Tensor

EPSILON = 1e-12  # inside the root, whose derivative at zero is infinite
USUAL_POINTS = {"r1": "real", "r2": "fake", "gp": "interpolated", "lp": "interpolated"}


def interpolate(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Return share * real + (1 - share) * fake for images `(n, c, h, w)` and one share per image, `(n,)`."""
    return torch.lerp(fake, real, share[:, None, None, None])


def gradients(outputs: Tensor, points: Tensor) -> Tensor:
    """Return the gradient of each critic output in its own point, of the points' shape, with its graph."""
    (gradient,) = torch.autograd.grad(outputs.sum(), points, create_graph=True)
    return gradient


def gradient_norms(gradient: Tensor) -> Tensor:
    """Return the norm over all pixels of each image's gradient, `(n,)`."""
    return (gradient.flatten(1).square().sum(1) + EPSILON).sqrt()


def penalty(name: str, gradient: Tensor, axis: str = "image") -> Tensor:
    """Return one of the penalties from the critic's gradients at its points.

    Args:
        name: `r1`, `r2`, `gp` or `lp`.
        gradient: Gradient of the critic's outputs, `(n, c, h, w)`, with its graph.
        axis: `image`, the norm over all pixels; `last`, for r1 and r2 only, the mean over rows of the squared norm
            along the last axis, a mistake found in copies of report 001's code that makes the penalty c * h times
            weaker.

    Raises:
        ValueError: If `name` is none of them.
    """
    match name:
        case "r1" | "r2":
            squares = gradient.square()
            return squares.flatten(1).sum(1).mean() if axis == "image" else squares.sum(-1).mean()
        case "gp":
            return (gradient_norms(gradient) - 1).square().mean()
        case "lp":
            return (gradient_norms(gradient) - 1).relu().square().mean()
        case _:
            raise ValueError(f"{name} is not a penalty")

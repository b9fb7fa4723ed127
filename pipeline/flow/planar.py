r"""Planar flows: compositions of $f(z) = z + u \tanh(w \cdot z + b)$, in any dimension.

Points have shape `(..., n, d)`; a flow of k layers has `u` and `w` of shape `(..., k, d)` and `b` of shape `(..., k)`.
The leading dimensions broadcast, so one call serves many flows at once, or layers that an encoder predicts per image.

Reference: Rezende & Mohamed, Variational Inference with Normalizing Flows, ICML 2015.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

HALVINGS = 64  # of the bracket that encloses a root: more than float64 resolves


def smooth(u: Tensor, w: Tensor) -> Tensor:
    r"""Map free parameters to the invertible $\hat u = u + (\log(1 + e^{u \cdot w}) - 1 - u \cdot w)\, w / |w|^2$.

    It gives $\hat u \cdot w = \mathrm{softplus}(u \cdot w) - 1 > -1$. Where w = 0 every u is allowed and is kept.

    Args:
        u: Free u of one layer or several, `(..., d)`.
        w: Their w, `(..., d)`.

    Returns:
        Effective u, `(..., d)`.

    Reference: Rezende & Mohamed (2015), appendix A.1.
    """
    inner = (u * w).sum(-1, keepdim=True)
    norm = (w * w).sum(-1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
    return u + (softplus(inner) - 1 - inner) / norm * w


def in_place(u: Tensor, w: Tensor) -> Tensor:
    r"""Replace u by `smooth(u, w)` where $u \cdot w < -1$ and keep it elsewhere: the correction of the reports' code.

    The reports' code overwrites the parameter itself with this value before each use. The map jumps: a product
    $u \cdot w$ just under -1 becomes -0.687.

    Args:
        u: Free u of one layer or several, `(..., d)`.
        w: Their w, `(..., d)`.
    """
    return torch.where((u * w).sum(-1, keepdim=True) < -1, smooth(u, w), u)


def free(hat: Tensor, w: Tensor) -> Tensor:
    r"""Undo `smooth`: return the free u whose effective u is `hat`, where $\hat u \cdot w > -1$ and w is not 0.

    Args:
        hat: Effective u of one layer or several, `(..., d)`.
        w: Their w, `(..., d)`.
    """
    inner = (hat * w).sum(-1, keepdim=True)
    return hat + (torch.log(torch.expm1(1 + inner)) - inner) / (w * w).sum(-1, keepdim=True) * w


def forward(z: Tensor, u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    r"""Apply the layers in order; return points and $\sum_k \log |1 + u \cdot w\, (1 - \tanh^2(w \cdot z + b))|$.

    Args:
        z: Points, `(..., n, d)`.
        u: Effective u of every layer, with $u \cdot w \ge -1$, `(..., k, d)`.
        w: The w of every layer, `(..., k, d)`.
        b: The b of every layer, `(..., k)`.

    Returns:
        Points `(..., n, d)` and log-determinants `(..., n)`.
    """
    total = torch.zeros_like(z[..., 0])
    smallest = torch.finfo(z.dtype).eps - 1  # rounding may put a determinant at 0
    for ui, wi, bi in zip(u.unbind(-2), w.unbind(-2), b.unbind(-1), strict=True):
        t = torch.tanh((z @ wi[..., None]).squeeze(-1) + bi[..., None])
        inner = (ui * wi).sum(-1, keepdim=True)
        total = total + torch.log1p((inner * (1 - t * t)).clamp_min(smallest))
        z = z + t[..., None] * ui[..., None, :]
    return z, total


def inverse(x: Tensor, u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    r"""Undo `forward`; return the points that it maps to `x`, and the log-determinants of `forward` at them.

    A layer moves z along u, so $\alpha = w \cdot z$ is the one root of the increasing function
    $\alpha + u \cdot w \tanh(\alpha + b) - w \cdot x$, within $|u \cdot w|$ of $w \cdot x$, and is found by bisection.

    Args:
        x: Points, `(..., n, d)`.
        u: Effective u of every layer, as for `forward`.
        w: The w of every layer.
        b: The b of every layer.

    Returns:
        Points `(..., n, d)` and log-determinants `(..., n)`.
    """
    z, layers = x, zip(u.unbind(-2), w.unbind(-2), b.unbind(-1), strict=True)
    for ui, wi, bi in reversed(list(layers)):
        target, shift = (z @ wi[..., None]).squeeze(-1), bi[..., None]
        inner = (ui * wi).sum(-1, keepdim=True)
        low, high = target - inner.abs(), target + inner.abs()
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            above = middle + inner * torch.tanh(middle + shift) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        z = z - torch.tanh((low + high) / 2 + shift)[..., None] * ui[..., None, :]
    return z, forward(z, u, w, b)[1]


def standard_normal(z: Tensor) -> Tensor:
    """Return log N(z; 0, I), `(...)`, of points `(..., d)`."""
    return -0.5 * (z * z).sum(-1) - z.shape[-1] / 2 * math.log(2 * math.pi)

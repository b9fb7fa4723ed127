"""Arithmetic operations of a log-determinant: of planar layers, and of a layer of any kind."""

import torch
from torch import Tensor

from pipeline.flow.planar import forward
from pipeline.metrics.operations import Operations


def planar(dimension: int, depth: int) -> int:
    """Count the operations that map one point through a planar flow and give its log-determinant."""
    z, u, w, b = _meta(1, dimension), _meta(depth, dimension), _meta(depth, dimension), _meta(depth)
    with (operations := Operations()):
        forward(z, u, w, b)
    return operations.count


def dense(dimension: int) -> int:
    """Count the operations of one layer's log-determinant without the determinant lemma: I + s u w^T, factorised."""
    u, w, identity = _meta(dimension, 1), _meta(1, dimension), _meta(dimension, dimension)
    with (operations := Operations()):
        torch.linalg.slogdet(identity + u * w)
    return operations.count


def _meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")

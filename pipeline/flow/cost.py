"""Arithmetic operations of a log-determinant, counted rather than timed: the same number on every machine."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pipeline.flow.planar import forward

_CREATION = {"aten.empty.memory_format", "aten.zeros_like.default", "aten.detach.default"}


class Operations(TorchDispatchMode):
    """Count what is computed inside the block, on tensors of any device, `meta` included.

    An elementwise operation counts its results, a sum or mean its terms, a matrix product the multiplications and
    additions of `torch.utils.flop_counter`, an LU factorisation of a d x d matrix 2/3 d^3.

    Raises:
        NotImplementedError: at an operation it cannot count.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: int = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing here is compiled, and what would keep the compiler away takes a second to import

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(func)
        if func.overloadpacket in flop_registry:
            self.count += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=result)
        elif name in ("aten.sum.dim_IntList", "aten.mean.dim"):
            self.count += args[0].numel()
        elif name == "aten._linalg_slogdet.default":
            self.count += 2 * args[0].shape[-1] ** 3 // 3
        elif torch.Tag.pointwise in func.tags:
            self.count += result.numel()
        elif not (name in _CREATION or any(value.alias_info for value in func._schema.returns)):  # nor a view
            raise NotImplementedError(f"{name} is not counted")
        return result


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

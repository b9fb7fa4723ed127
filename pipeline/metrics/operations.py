"""Arithmetic operations, counted rather than timed: the same number on every machine."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Rule = Callable[[Any, tuple[Any, ...], Tensor], int]
"""From an operator of torch, its arguments and its result to a number of operations."""

_CREATION = {"aten.empty.memory_format", "aten.zeros_like.default", "aten.detach.default"}


def everything(func: Any, args: tuple[Any, ...], result: Tensor) -> int:
    """Count results of an elementwise operation, terms of a sum or mean, 2/3 d^3 of the LU factors of a d x d matrix.

    Raises:
        NotImplementedError: At an operator it does not know.
    """
    name = str(func)
    if name in ("aten.sum.dim_IntList", "aten.mean.dim"):
        return int(args[0].numel())
    if name == "aten._linalg_slogdet.default":
        return int(2 * args[0].shape[-1] ** 3 // 3)
    if torch.Tag.pointwise in func.tags:
        return result.numel()
    if name in _CREATION or any(value.alias_info for value in func._schema.returns):  # a view
        return 0
    raise NotImplementedError(f"{name} is not counted")


class Operations(TorchDispatchMode):
    """Count what is computed inside the block, second derivatives too, on tensors of any device, `meta` included.

    Matrix products and convolutions count the multiplications and additions of `torch.utils.flop_counter`, whose own
    mode does not support second derivatives.

    Args:
        rule: Counts every other operator.
    """

    def __init__(self, rule: Rule = everything) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rule = rule
        self.count: int = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing here is compiled, and what would keep the compiler away takes a second to import

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if known := flop_registry.get(func.overloadpacket):
            self.count += known(*args, **(kwargs or {}), out_val=result)
        else:
            self.count += self.rule(func, args, result)
        return result

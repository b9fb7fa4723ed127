"""A training step recorded once as a CUDA graph and replayed: one launch instead of hundreds from Python."""

import os
from collections import Counter
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

PLAIN = 3  # steps of a kind before it is recorded: in them cuDNN and cuBLAS make their plans and workspaces

Step = Callable[..., Tensor]
"""Maps a kind and tensors to a tensor; changes tensors in place, reads none on the host, takes no random numbers."""


def captured(step: Step, device: torch.device) -> Step:
    """Return `step` in the form that runs fastest on `device`; the plain form is the reference, and all a CPU has.

    `PIPELINE_CAPTURE=off` keeps the plain form on a GPU too.
    """
    on = device.type == "cuda" and os.environ.get("PIPELINE_CAPTURE") != "off"
    return Captured(step) if on else step


class Captured:
    """A step that is replayed from its fourth call of a kind on.

    A recording holds every Python value of the call in which it was made: those that change belong into `kind`, or into
    tensors. All calls are real steps, so that a training follows the same trajectory as without. The result is
    overwritten by the next call of its kind.

    Args:
        step: The step.
    """

    def __init__(self, step: Step) -> None:
        self._step, self._calls = step, Counter[Hashable]()
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...], Tensor]] = {}
        self._pool, self._stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()

    def __call__(self, kind: Hashable, *inputs: Tensor) -> Tensor:
        """Take one step.

        Args:
            kind: Every Python value that the step depends on.
            inputs: Tensors that it reads, of shapes that repeat.
        """
        key = kind, tuple(each.shape for each in inputs)
        self._calls[key] += 1
        if self._calls[key] <= PLAIN:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                result = self._step(kind, *inputs)
            torch.cuda.current_stream().wait_stream(self._stream)
            return result
        if key not in self._recorded:
            own = tuple(each.detach().clone() for each in inputs)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                result = self._step(kind, *own)
            self._recorded[key] = graph, own, result
        graph, own, result = self._recorded[key]
        with torch.no_grad():
            for place, value in zip(own, inputs, strict=True):
                place.copy_(value)
        graph.replay()
        return result

"""Exponential moving average of a network: weights and normalisation statistics."""

import copy

import torch
from torch import nn


class Average:
    r"""The running average $\bar w \leftarrow d_t \bar w + (1 - d_t) w$ of a network.

    With warm-up $d_t = \min(d, (1 + t) / (10 + t))$, so that the first weights are forgotten quickly; whole numbers
    (the counters of batch normalisation) are copied.

    Args:
        network: what is averaged; the average starts as a copy of it.
        decay: d.
        warmup: whether the decay grows from small to d.
    """

    def __init__(self, network: nn.Module, decay: float, warmup: bool) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay, self.warmup = decay, warmup
        self._pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))

    def decay_at(self, step: int) -> float:
        """Return d_t of the update number `step`, which counts from 0."""
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the network as it is now; `step` counts the updates from 0."""
        real = [(mean, now) for mean, now in self._pairs if mean.is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in real], [now for _, now in real], 1 - self.decay_at(step))
        for mean, now in self._pairs:
            if not mean.is_floating_point():
                mean.copy_(now)

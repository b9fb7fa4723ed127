"""Exponential moving average of a network: its weights and the statistics of its normalisation."""

import copy

import torch
from torch import nn

from pipeline.gan.settings import Averaging


class Average:
    r"""The running average $\bar w \leftarrow d_t \bar w + (1 - d_t) w$ of a network.

    With warm-up $d_t = \min(d, (1 + t) / (10 + t))$, so that the first weights are forgotten quickly; whole numbers
    (the counters of batch normalisation) are copied.

    Args:
        network: What is averaged; the average starts as a copy of it.
        settings: The decay d, and whether it grows to that from a smaller one.
    """

    def __init__(self, network: nn.Module, settings: Averaging) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._settings = settings
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._means = [mean for mean, _ in pairs if mean.is_floating_point()]
        self._weights = [weight for _, weight in pairs if weight.is_floating_point()]
        self._copies = [copied for copied, _ in pairs if not copied.is_floating_point()]
        self._counters = [counter for _, counter in pairs if not counter.is_floating_point()]

    def decay_at(self, step: int) -> float:
        """Return d_t of the update number `step`, which counts from 0."""
        decay = self._settings.ema_decay
        return min(decay, (1 + step) / (10 + step)) if self._settings.ema_warmup else decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the network as it is now; `step` counts the updates from 0."""
        torch._foreach_lerp_(self._means, self._weights, 1 - self.decay_at(step))
        if self._counters:
            torch._foreach_copy_(self._copies, self._counters)

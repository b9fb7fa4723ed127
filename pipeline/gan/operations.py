"""Arithmetic operations of a critic's training step."""

from typing import Any

import torch
from torch import Tensor

from pipeline.gan.network import build
from pipeline.gan.train import Objective, Player, Trainer
from pipeline.metrics.operations import Operations

SHAPE = (3, 32, 32)
_OPTIMISER: dict[str, Any] = {"learning_rate": 1.0, "betas": [0.0, 0.0], "weight_decay": 0.0, "decay_steps": 0}


class Still(Player):
    """A player that finds its gradients and stays where it is."""

    def step(self, loss: Tensor, done: int) -> None:
        loss.backward(inputs=list(self.net.parameters()))


def critic_step(network: dict[str, Any], objective: dict[str, Any], batch: int) -> int:
    """Count the matrix products and convolutions of a critic step with its penalty, on 32x32 colour images.

    Args:
        network: `network`, `width`, `latent` and `spectral`, see `pipeline.gan.network.build`.
        objective: the arguments of `Objective`.
        batch: real images, and fakes.
    """
    with torch.device("meta"):  # shapes without numbers
        players = [Still(net, **_OPTIMISER) for net in build(**network, shape=SHAPE)]
        trainer = Trainer(players[0], players[1], Objective(**objective))
        real, codes, shares = torch.empty(batch, *SHAPE), torch.empty(batch, network["latent"]), torch.empty(batch)
        with (operations := Operations(_rule)):
            trainer.critic_step(real, codes, shares, 0)
    return operations.count


def _rule(func: Any, args: tuple[Any, ...], result: Tensor) -> int:
    """Count products of a matrix and a vector, the power iterations of spectral normalisation, and nothing else."""
    return 2 * int(args[0].numel()) if func.overloadpacket == torch.ops.aten.mv else 0

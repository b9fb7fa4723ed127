"""Arithmetic operations of a critic's training step."""

from typing import Any

import torch
from torch import Tensor

from pipeline.gan.network import build
from pipeline.gan.settings import Network, Objective, Optimiser
from pipeline.gan.trainer import Player, Trainer
from pipeline.metrics.operations import Operations

SHAPE = (3, 32, 32)
_OPTIMISER = Optimiser(learning_rate=1.0, betas=(0.0, 0.0), weight_decay=0.0, decay_steps=0)


class _Still(Player):
    """A player that computes its gradients and stays where it is."""

    def descend(self, loss: Tensor) -> None:
        loss.backward(inputs=list(self.network.parameters()))


def critic_step(network: Network, objective: Objective, batch: int) -> int:
    """Count the matrix products and convolutions of a critic step with its penalty, on 32x32 colour images.

    What an image costs and what a step costs besides follow from batches of two and of three images.

    Args:
        network: Architecture of both networks.
        objective: What they play for.
        batch: Number of real images, and of fakes.
    """
    # numbers, of which the count needs none: shapes alone, on the device `meta`, take torch two seconds of imports
    generator, critic = (_Still(player, _OPTIMISER) for player in build(network, SHAPE))
    trainer = Trainer(generator, critic, objective, "fp32", torch.device("cpu"))
    two, three = (_counted(trainer, torch.zeros(images, network.latent)) for images in (2, 3))
    return two + (batch - 2) * (three - two)


def _counted(trainer: Trainer, latents: Tensor) -> int:
    with (operations := Operations(_rule)):
        trainer.critic_step(torch.zeros(len(latents), *SHAPE), latents, torch.zeros(len(latents)), 0)
    return operations.count


def _rule(func: Any, args: tuple[Any, ...], result: Tensor) -> int:
    """Count products of a matrix and a vector, the power iterations of spectral normalisation, and nothing else."""
    return 2 * int(args[0].numel()) if func.overloadpacket == torch.ops.aten.mv else 0

"""Arithmetic operations of a training step, counted rather than timed: the same number on every machine."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pipeline.gan.network import build
from pipeline.gan.train import Objective, Player, Trainer

SHAPE = (3, 32, 32)
_OPTIMISER: dict[str, Any] = {"learning_rate": 1.0, "betas": [0.0, 0.0], "weight_decay": 0.0, "decay_steps": 0}


class Operations(TorchDispatchMode):
    """Count the multiplications and additions of all matrix products and convolutions inside the block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operator = func.overloadpacket
        if operator in flop_registry:
            self.count += flop_registry[operator](*args, **(kwargs or {}), out_val=result)
        elif operator == torch.ops.aten.mv:  # of the power iterations of spectral normalisation
            self.count += 2 * args[0].numel()
        return result


class Still(Player):
    """A player that finds its gradients and stays where it is."""

    def step(self, loss: Tensor, done: int) -> None:
        loss.backward(inputs=list(self.net.parameters()))


def critic_step(network: dict[str, Any], objective: dict[str, Any], batch: int) -> int:
    """Count the operations of a critic step with the penalty, but for the optimiser's, on 32x32 colour images.

    Args:
        network: `network`, `width`, `latent` and `spectral`, see `pipeline.gan.network.build`.
        objective: the arguments of `Objective`.
        batch: real images, and fakes.
    """
    with torch.device("meta"):  # shapes without numbers
        players = [Still(net, **_OPTIMISER) for net in build(**network, shape=SHAPE)]
        trainer = Trainer(players[0], players[1], Objective(**objective))
        real, codes, shares = torch.empty(batch, *SHAPE), torch.empty(batch, network["latent"]), torch.empty(batch)
        with (operations := Operations()):
            trainer.critic_step(real, codes, shares, 0)
    return operations.count

"""Encoder and predictor of SimSiam: a residual backbone, a projector and a predictor.

Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021.
"""

import os
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.features.resnet import Backbone
from pipeline.runtime import weights
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import seeded
from pipeline.runtime.settings import read
from pipeline.simsiam.settings import Network

FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}  # of maps in memory
FIXED_STD = 0.01  # standard deviation of the weights of a predictor that is never trained


class SimSiam(nn.Module):
    """Backbone and projector, which together are the encoder, and the predictor.

    Args:
        network: Settings of the network; its predictor is an `mlp`, the `identity`, or `fixed`: an mlp whose parameters
            are never trained.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(network.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(network.std)[:, None, None], persistent=False)
        self.backbone = Backbone(network.backbone, network.width, network.stem)
        hidden, output = network.projector_hidden, network.projector_output
        self.projector = nn.Sequential(
            nn.Linear(self.backbone.features, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, output),
            nn.BatchNorm1d(output, affine=False),
        )
        cast(nn.Linear, self.projector[6]).bias.requires_grad_(False)  # the normalisation after it takes it out again
        self.predictor = nn.Identity() if network.predictor_hidden is None else _mlp(output, network.predictor_hidden)
        if network.predictor == "fixed":
            _fix(self.predictor)

    def represent(self, x: Tensor) -> Tensor:
        """Return the features h of the backbone, `(n, backbone.features)`, for images in [0, 1], `(n, 3, h, w)`."""
        h: Tensor = self.backbone((x - self.mean) / self.std)
        return h

    def project(self, h: Tensor) -> Tensor:
        """Return z, `(n, projector_output)`, for features of the backbone."""
        z: Tensor = self.projector(h)
        return z

    def predict(self, z: Tensor) -> Tensor:
        """Return p, `(n, projector_output)`, the prediction of the other view's z."""
        p: Tensor = self.predictor(z)
        return p


def _mlp(output: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(output, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, output)
    )


def _fix(predictor: nn.Module) -> None:
    """Initialise with small weights and without bias, and leave all parameters out of training."""
    for module in predictor.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=FIXED_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    predictor.requires_grad_(False)


def memory_format() -> str:
    """Return how weights and maps lie in memory: it decides the speed and, by the order of sums, the last bits.

    `PIPELINE_MEMORY_FORMAT` names it; `channels_last` is the faster one on CPUs and GPUs alike.

    Raises:
        UserError: If there is no such format.
    """
    name = os.environ.get("PIPELINE_MEMORY_FORMAT") or "channels_last"
    if name not in FORMATS:
        raise UserError(f"PIPELINE_MEMORY_FORMAT={name}: not one of {', '.join(FORMATS)}.")
    return name


def place(model: SimSiam, device: torch.device) -> SimSiam:
    """Move a network to `device`, its weights laid out by `memory_format`."""
    return model.to(device, memory_format=FORMATS[memory_format()])  # type: ignore[call-overload, no-any-return]


def untrained(network: Network, seed: int, device: torch.device) -> SimSiam:
    """Return the network from which the training of `seed` starts, in evaluation mode."""
    with seeded(seed, "init"):
        model = SimSiam(network)
    return place(model, device).eval()


def load(folder: Path, device: torch.device) -> dict[int, SimSiam]:
    """Return the trained networks of a model folder by seed, in evaluation mode on `device`."""
    network, models = read(folder / "network.json", Network), {}
    for seed in weights.seeds(folder):
        models[seed] = untrained(network, seed, device)
        models[seed].load_state_dict(weights.load(folder, weights.name(seed), device))
    return models

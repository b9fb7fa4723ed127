"""Settings of planar flows; `pipeline.config.flow` explains each hyperparameter."""

from dataclasses import dataclass

BLOCK = 200
"""Steps that make one row of a training curve, which holds the means of their losses, as the reports print them."""


@dataclass(frozen=True)
class Network:
    """The flows of one run: one for each density, mode and constraint."""

    depth: int
    densities: tuple[str, ...]
    constraints: tuple[str, ...]


@dataclass(frozen=True)
class Training:
    """All that the training of one run depends on."""

    network: Network
    points: int
    steps: int
    batch: int
    learning_rate: float
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Scoring:
    """All that the scores of one run depend on besides its trained flows."""

    points: int


@dataclass(frozen=True)
class Distribution:
    """What u and w of a single layer are sampled from, and the layer's b."""

    mean: float
    std: float
    bias: float


@dataclass(frozen=True)
class SingleLayers:
    """What single layers are shown, and at which sizes operations are counted."""

    points: int
    distributions: tuple[Distribution, ...]
    dimensions: tuple[int, ...]
    depths: tuple[int, ...]
    seed: int

"""Settings of the SimSiam family; `pipeline.config.simsiam` explains each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """The encoder, which is a residual backbone with a projector, the predictor, and how images are normalised."""

    backbone: str
    width: int
    stem: str
    projector_hidden: int
    projector_output: int
    predictor: str
    predictor_hidden: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Augmentation:
    """The distribution of random views of an image."""

    crop: tuple[float, ...]
    rotation: float
    flip: float
    jitter: tuple[float, ...]
    jitter_probability: float
    greyscale: float


@dataclass(frozen=True)
class Optimiser:
    """Stochastic gradient descent with momentum."""

    learning_rate: float
    momentum: float
    weight_decay: float


@dataclass(frozen=True)
class Monitor:
    """The nearest-neighbour classification that says how good features are."""

    knn_features: str
    knn_neighbours: int
    knn_temperature: float


@dataclass(frozen=True)
class Training:
    """All that the training of a run depends on."""

    network: Network
    augmentation: Augmentation
    stop_gradient: bool
    epochs: int
    batch: int
    optimiser: Optimiser
    precision: str
    monitor: Monitor
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Scoring:
    """All that the scores of trained networks depend on."""

    augmentation: Augmentation
    precision: str
    monitor: Monitor
    probe_l2: float

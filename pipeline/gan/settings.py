"""Settings of generative adversarial networks; `pipeline.config.gan` explains each hyperparameter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """The architecture of a generator and its critic."""

    network: str
    width: int
    latent: int
    spectral_norm: bool


@dataclass(frozen=True)
class Objective:
    """What the two players play for."""

    loss: str
    penalty: str
    penalty_weight: float
    penalty_interval: int
    penalty_points: str
    r1_axis: str


@dataclass(frozen=True)
class Optimiser:
    """Adam and the decay of its learning rate, for one of the players."""

    learning_rate: float
    betas: tuple[float, float]
    weight_decay: float
    decay_steps: int


@dataclass(frozen=True)
class Averaging:
    """The running average of a generator's weights."""

    ema_decay: float
    ema_warmup: bool


@dataclass(frozen=True)
class Schedule:
    """How long a run is trained, on what batches, and when it is looked at."""

    steps: int
    critic_steps: int
    batch: int
    seeds: tuple[int, ...]
    log_every: int
    snapshots: tuple[int, ...]


@dataclass(frozen=True)
class Training:
    """All that the training of one run depends on besides its images."""

    network: Network
    objective: Objective
    generator: Optimiser
    critic: Optimiser
    average: Averaging
    schedule: Schedule
    precision: str


@dataclass(frozen=True)
class Sampling:
    """How images are generated from a trained generator."""

    normalisation: str
    normalisation_batches: int
    precision: str


@dataclass(frozen=True)
class Studies:
    """Which directions of the latent space are studied, and on how many latents."""

    perturbed_dimensions: int
    shown_dimensions: tuple[int, ...]
    perturbation_scales: tuple[float, ...]
    perturbed_latents: int
    interpolation_pairs: int


@dataclass(frozen=True)
class Scoring:
    """How the generators of a trained run are scored."""

    samples: int
    final_samples: int
    sampling: Sampling
    studies: Studies

"""Settings of autoencoders; `pipeline.config.vae` explains each hyperparameter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """Encoder, decoder, and what of the encoder's output the decoder is given."""

    network: str
    hidden: int | None
    latent: int
    posterior: str
    flow_layers: int
    logit_shift: float


@dataclass(frozen=True)
class Objective:
    """What training minimises; where there is no KL divergence, only the likelihood is set."""

    likelihood: str
    beta: float | None
    beta_schedule: str | None
    kl: str | None
    kl_samples: int | None


@dataclass(frozen=True)
class Optimiser:
    """Adam, and the limit on the gradients that reach it."""

    learning_rate: float
    clip_norm: float


@dataclass(frozen=True)
class Schedule:
    """How long a run is trained, on what batches, and when its weights are stored."""

    epochs: int
    batch: int
    snapshots: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Training:
    """All that the training of one run depends on besides its images."""

    network: Network
    objective: Objective
    optimiser: Optimiser
    schedule: Schedule
    precision: str


@dataclass(frozen=True)
class Scoring:
    """How the autoencoders of a trained run are scored on images that they were not trained on."""

    importance_samples: tuple[int, ...] | None
    elbo_samples: int | None
    batch: int
    tsne: bool


@dataclass(frozen=True)
class SampleScoring:
    """How the images that autoencoders decode are scored by an evaluator."""

    count: int

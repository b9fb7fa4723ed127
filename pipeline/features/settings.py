"""Settings of the evaluators; `pipeline.config.features` explains each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """The size of a classifier, plain or residual."""

    width: int
    dimensions: int


@dataclass(frozen=True)
class Training:
    """The training of a classifier."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    noise: float
    augment: str
    seed: int


@dataclass(frozen=True)
class Scoring:
    """What has to be the same for two scores to be comparable."""

    splits: int
    kid_subsets: int
    kid_subset_size: int
    neighbours: int

    @property
    def least(self) -> tuple[int, str]:
        """How many images have to be scored at least, and the setting that asks for so many."""
        counts = {
            "kid_subset_size": self.kid_subset_size,
            "splits": self.splits,
            "neighbours": self.neighbours + 1,  # of an image among the others
        }
        setting = max(counts, key=lambda name: counts[name])
        return counts[setting], setting

    @property
    def least_reference(self) -> tuple[int, str]:
        """How many reference images there have to be at least, and the setting that asks for so many."""
        if self.kid_subset_size > self.neighbours:
            return self.kid_subset_size, "kid_subset_size"
        return self.neighbours + 1, "neighbours"


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluator depends on; a classifier has an architecture and a training, Inception has weights."""

    network: str
    weights: str | None
    architecture: Architecture | None
    training: Training | None
    precision: str
    reference: str
    reference_classes: tuple[str, ...]
    samples: int
    scoring: Scoring


@dataclass(frozen=True)
class Layout:
    """All that a classifier is built from: its kind and size, and the images and classes that it is for."""

    network: str
    width: int
    dimensions: int
    channels: int
    size: int
    classes: int


@dataclass(frozen=True)
class EvaluatorDescription:
    """What a finished evaluator is, beside its tensors: the file `network.json`; Inception has no layout."""

    layout: Layout | None
    precision: str
    data: str
    reference: str
    scoring: Scoring
    classes: tuple[str, ...] = ()

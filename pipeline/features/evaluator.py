"""Scores of generated images against reference images in the space of a feature network, with their protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data.errors import DataError
from pipeline.features import classifier, inception
from pipeline.features.network import FeatureNetwork
from pipeline.features.settings import EvaluatorDescription, Scoring
from pipeline.metrics import frechet
from pipeline.metrics.inception_score import inception_score
from pipeline.metrics.kid import kernel_distance
from pipeline.metrics.precision_recall import precision_and_recall, radii
from pipeline.runtime import weights
from pipeline.runtime.settings import read, write

REFERENCE = "reference"


@dataclass(frozen=True)
class Evaluator:
    """A feature network with the features of the reference images.

    Args:
        network: The feature network.
        gaussian: Normal distribution fitted to the features of the reference images, decomposed.
        features: Features of the reference images, float32 `(m, d)`.
        radii: Squared radii of the balls around them, float64 `(m,)`.
        scoring: How scores are computed.
        reference: The reference images in words.
        classes: Names of the network's classes, where they have names.
    """

    network: FeatureNetwork
    gaussian: frechet.Reference
    features: Tensor
    radii: Tensor
    scoring: Scoring
    reference: str
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, network: FeatureNetwork, images: Tensor, scoring: Scoring, reference: str) -> "Evaluator":
        """Take uint8 `images` `(m, c, h, w)` for reference."""
        features, _ = network.extract(images)
        gaussian = frechet.Reference.of(frechet.Gaussian.fit(features))
        return cls(network, gaussian, features, radii(features, scoring.neighbours), scoring, reference)

    def score(self, images: Tensor) -> dict[str, float]:
        """Score generated images, uint8 `(n, c, h, w)`; see `pipeline.features.pixels.quantised`.

        Returns:
            `frechet_distance`; `inception_score` and `inception_score_spread` over splits; `kid` and `kid_spread` over
            subsets; `precision` and `recall`.

        Raises:
            TypeError: If the images are not uint8.
            ValueError: If there are fewer images than `Scoring` needs.
        """
        return self.rate(*self.network.extract(images))

    def rate(self, features: Tensor, logits: Tensor) -> dict[str, float]:
        """Score generated images by their features `(n, d)` and logits `(n, classes)`; see `score`."""
        score, spread = inception_score(logits, self.scoring.splits)
        kid, kid_spread = kernel_distance(
            features, self.features, self.scoring.kid_subsets, self.scoring.kid_subset_size
        )
        precision, recall = precision_and_recall(features, self.features, self.radii, self.scoring.neighbours)
        return {
            "frechet_distance": self.distance(features),
            "inception_score": score,
            "inception_score_spread": spread,
            "kid": kid,
            "kid_spread": kid_spread,
            "precision": precision,
            "recall": recall,
        }

    def distance(self, features: Tensor) -> float:
        """Return the Fréchet distance alone, of generated images with features `(n, d)`."""
        return self.gaussian.distance(frechet.Gaussian.fit(features))

    @property
    def names(self) -> dict[str, str]:
        """The names of the scores in tables: FID only with the network that this name stands for."""
        qualifier = self.network.qualifier
        if not qualifier:
            words = {"frechet_distance": "FID", "inception_score": "IS", "kid": "KID"}
        else:
            short = {"frechet_distance": "FD", "inception_score": "IS", "kid": "KD"}
            words = {key: f"{name} ({qualifier})" for key, name in short.items()}
        return words | {"precision": "precision", "recall": "recall"}

    def protocol(self, images: int) -> dict[str, Any]:
        """Return in words how the scores of a number of generated `images` come about."""
        scoring = self.scoring
        return {
            "names": self.names,
            **self.network.words,
            "evaluator_precision": self.network.precision,
            "reference": self.reference,
            "reference_images": len(self.features),
            "images": images,
            "pixels": "generated images rounded to 0..255 before features; no image left out",
            "frechet_distance": "unbiased covariances, float64, symmetric eigenvalues, negative ones set to 0",
            "inception_score": f"mean and standard deviation over {scoring.splits} splits of the shuffled images",
            "kid": f"kernel (x.y / d + 1)^3, unbiased, mean over {scoring.kid_subsets} subsets"
            f" of {scoring.kid_subset_size} images",
            "precision_recall": f"balls to the {scoring.neighbours}. nearest neighbour",
        }

    def save(self, folder: Path, description: EvaluatorDescription) -> None:
        """Write description and reference into `folder`, where the network's weights lie."""
        write(folder / "network.json", description)
        tensors = {
            "mean": self.gaussian.mean,
            "factor": self.gaussian.factor,
            "features": self.features,
            "radii": self.radii,
        }
        weights.save(folder, REFERENCE, tensors)


def load(folder: Path, device: torch.device, shape: Sequence[int]) -> Evaluator:
    """Return the evaluator that the stage `features` wrote into `folder`, on `device`.

    Args:
        folder: Folder of the evaluator.
        device: Where to score.
        shape: Channels, height and width of the images that will be scored.

    Raises:
        DataError: If it takes no images of this shape.
    """
    description = read(folder / "network.json", EvaluatorDescription)
    layout, (channels, height, width) = description.layout, shape
    if layout and (channels != layout.channels or not height == width == layout.size):
        raise DataError(
            f"the images have {height}x{width} pixels and {channels} channels; the evaluator was trained on"
            f" {description.data}, with {layout.size}x{layout.size} and {layout.channels}: name another one."
        )
    tensors = weights.load(folder, REFERENCE, device)
    gaussian = frechet.Reference(tensors["mean"], tensors["factor"])
    network = load_network(folder, description, device)
    return Evaluator(
        network, gaussian, tensors["features"], tensors["radii"], description.scoring, description.reference,
        description.classes,
    )  # fmt: skip


def load_network(folder: Path, description: EvaluatorDescription, device: torch.device) -> FeatureNetwork:
    """Return the feature network whose weights lie in `folder`."""
    if description.layout is None:
        return inception.load(folder, description.precision, device)
    return classifier.load(folder, description.layout, description.data, description.precision, device)

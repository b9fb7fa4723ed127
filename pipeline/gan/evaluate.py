"""What an evaluator and simple statistics say of generated images, beside the same of real ones."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pipeline.features.evaluator import Evaluator
from pipeline.metrics.pictures import entropy, mean_distance, shares, sharpness, total_variation

COMPARED = 500  # images between which the mean distance is taken


@dataclass(frozen=True)
class Generated:
    """Generated images with their features.

    Args:
        images: Images, uint8 `(n, c, h, w)`.
        features: Their features, `(n, d)`.
        logits: Their logits, `(n, classes)`.
    """

    images: Tensor
    features: Tensor
    logits: Tensor

    @classmethod
    def of(cls, evaluator: Evaluator, images: Tensor) -> "Generated":
        """Extract the features of uint8 images `(n, c, h, w)`."""
        return cls(images, *evaluator.network.extract(images))

    def first(self, count: int) -> "Generated":
        """Return the first `count` images alone."""
        return Generated(self.images[:count], self.features[:count], self.logits[:count])


@dataclass(frozen=True)
class RealStatistics:
    """Statistics of real images, to which those of generated ones are compared.

    Args:
        shares: Shares of the labels that the feature network gives them, `(classes,)`.
        distance: Mean distance between the features of two images.
        sharpness: Mean variance of the Laplacian.
    """

    shares: Tensor
    distance: float
    sharpness: float

    @classmethod
    def of(cls, evaluator: Evaluator, images: Tensor) -> "RealStatistics":
        """Measure uint8 images `(n, c, h, w)`."""
        features, logits = evaluator.network.extract(images)
        labels = shares(logits.argmax(1), logits.shape[1])
        return cls(labels, mean_distance(features[:COMPARED]), sharpness(images / 255).mean().item())

    def summary(self) -> dict[str, Any]:
        return {"shares": self.shares.tolist(), "distance": self.distance, "sharpness": self.sharpness}


def evaluate(evaluator: Evaluator, generated: Generated, real: RealStatistics) -> dict[str, Any]:
    """Evaluate generated images.

    Args:
        evaluator: The feature network with its reference statistics.
        generated: The images.
        real: Statistics of real images.

    Returns:
        The scores of `Evaluator.rate`; the classifier's mean `confidence`; `shares` of its labels, their entropy
        `label_entropy` in nats, their total variation distance `label_distance` from those of real images, and the
        number of `missing_classes`, which some real images belong to; `diversity`, the mean distance of two images'
        features as a multiple of that of real ones; and `sharpness` as a multiple of that of real ones.
    """
    labels = shares(generated.logits.argmax(1), generated.logits.shape[1])
    return {
        **evaluator.rate(generated.features, generated.logits),
        "confidence": generated.logits.double().softmax(1).amax(1).mean().item(),
        "shares": labels.tolist(),
        "label_entropy": entropy(labels).item(),
        "label_distance": total_variation(labels, real.shares),
        "missing_classes": int(((labels == 0) & (real.shares > 0)).sum()),
        "diversity": mean_distance(generated.features[:COMPARED]) / real.distance,
        "sharpness": sharpness(generated.images / 255).mean().item() / real.sharpness,
    }

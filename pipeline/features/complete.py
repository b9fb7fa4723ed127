"""Evaluators with every score: density and coverage too, which the making of an evaluator does without.

They live apart from `pipeline.features.evaluator` so that a score more trains no evaluator anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data.errors import DataError
from pipeline.features import evaluator
from pipeline.features.evaluator import Evaluator
from pipeline.metrics.precision_recall import density_and_coverage, radii

NEIGHBOURS = 5
"""The number k of the paper: real images then lie in 97 % of the balls around as many others of their kind."""


@dataclass(frozen=True)
class CompleteEvaluator(Evaluator):
    """An evaluator whose scores include density and coverage."""

    @cached_property
    def ball_radii(self) -> Tensor:
        """Squared radii of the balls around the reference images that density and coverage count in, `(m,)`."""
        return radii(self.features, NEIGHBOURS)

    def rate(self, features: Tensor, logits: Tensor) -> dict[str, float]:
        """Score generated images by their features `(n, d)` and logits `(n, classes)`: adds `density`, `coverage`."""
        density, coverage = density_and_coverage(features, self.features, self.ball_radii, NEIGHBOURS)
        return {**super().rate(features, logits), "density": density, "coverage": coverage}

    @property
    def names(self) -> dict[str, str]:
        """The names of the scores in tables."""
        return super().names | {"density": "density", "coverage": "coverage"}

    def protocol(self, images: int) -> dict[str, Any]:
        """Return in words how the scores of a number of generated `images` come about."""
        reach = "balls around images that reach their k-th nearest neighbour among the others"
        return {
            **super().protocol(images),
            "precision_recall": f"{reach}, k = {self.scoring.neighbours}",
            "density_coverage": f"{reach}, k = {NEIGHBOURS}, around reference images alone",
        }


def load(folder: Path, device: torch.device, shape: Sequence[int]) -> CompleteEvaluator:
    """Return the evaluator that the stage `features` wrote into `folder`; see `pipeline.features.evaluator.load`.

    Raises:
        DataError: If it takes no images of this shape, or has too few reference images.
    """
    loaded = evaluator.load(folder, device, shape)
    if (count := len(loaded.features)) <= NEIGHBOURS:
        raise DataError(
            f"the evaluator {folder.name} has {count} reference images; density and coverage need {NEIGHBOURS + 1}."
        )
    return CompleteEvaluator(**vars(loaded))

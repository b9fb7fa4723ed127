r"""What an autoencoder observes: how bytes become the numbers x, and how well its outputs explain them.

| likelihood | pixels x | $\log p(x|z)$, summed over pixels |
|---|---|---|
| bernoulli | 0 or 1 | $x \log \mu + (1 - x) \log(1 - \mu)$ with $\mu$ the sigmoid of the output |
| gaussian | in [-1, 1] | $-(x - \mu)^2 - \frac12 \log \pi$: variance 1/2, the summed squared error |
| gaussian_standardised | mean 0, variance 1 | $-\frac12 (x - \mu)^2 - \frac12 \log 2 \pi$: variance 1 |
| cross_entropy | in [0, 1] | none: the formula of bernoulli, applied to grey values, is not normalised |
| cross_entropy_standardised | mean 0, variance 1 | none: nor is it there, and it has no lower limit |
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.vae.objective import bernoulli_log_likelihood, saturating_cross_entropy

VARIANCE = {"gaussian": 0.5, "gaussian_standardised": 1.0}


@dataclass(frozen=True)
class Observation:
    """The pixels of one data set under one likelihood.

    Args:
        likelihood: A name of the table above.
        pixels: Number of pixels of an image, all channels counted.
        spacing: Distance between two neighbouring levels in x.
        lowest: Value x of level 0.
    """

    likelihood: str
    pixels: int
    spacing: float
    lowest: float

    @classmethod
    def of(cls, likelihood: str, data: DataSet) -> "Observation":
        """Return how images of `data` are observed; they are standardised by mean and variance of the training split.

        Raises:
            DataError: If `likelihood` is `bernoulli` and the set has grey levels, or if all pixels are equal and have
                to be standardised.
        """
        images = data.binary("train") if likelihood == "bernoulli" else data.split("train")
        pixels, spacing, lowest = images[0].numel(), 1 / (data.levels - 1), 0.0
        if likelihood == "gaussian":
            spacing, lowest = 2 * spacing, -1.0
        if likelihood.endswith("standardised"):
            mean, std = _moments(images)
            if std == 0:
                raise DataError(f"data set {data.card['name']}: all pixels are equal and cannot be standardised.")
            spacing, lowest = 1 / std, -mean / std
        return cls(likelihood, pixels, spacing, lowest)

    @property
    def is_density(self) -> bool:
        """Whether `log_score` and `constant` make a probability or a density."""
        return self.likelihood == "bernoulli" or self.likelihood in VARIANCE

    def scale(self, images: Tensor) -> Tensor:
        """Return x, float32, for uint8 images of any shape."""
        return images.float().mul_(self.spacing).add_(self.lowest)

    def log_score(self, x: Tensor, outputs: Tensor) -> Tensor:
        """Return what training maximises: log p(x|z) without its constant, summed over pixels.

        Args:
            x: Targets, `(..., d)`, broadcast against `outputs`.
            outputs: Outputs of the decoder, `(..., d)`.
        """
        if variance := VARIANCE.get(self.likelihood):
            return -((x - outputs) ** 2).sum(-1) / (2 * variance)
        if self.likelihood == "cross_entropy_standardised":
            return -saturating_cross_entropy(x, outputs)
        return bernoulli_log_likelihood(x, outputs)

    @property
    def constant(self) -> float:
        """What `log_score` lacks to be log p(x|z), in nats per image."""
        variance = VARIANCE.get(self.likelihood)
        return 0.0 if variance is None else -self.pixels / 2 * math.log(2 * math.pi * variance)

    def bits(self, log_density: float) -> float:
        r"""Return bits per dimension of the stored levels for a log density (or log probability) of x in nats.

        A level stands for an interval of one spacing around it. With noise uniform over the interval, Jensen's
        inequality gives in closed form
        $\log P(\mathrm{level}) \ge \log p(x) + d\,(\log \Delta - \Delta^2 / 24 \sigma^2)$.

        Reference: Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models, ICLR 2016.
        """
        if variance := VARIANCE.get(self.likelihood):
            log_density += self.pixels * (math.log(self.spacing) - self.spacing**2 / (24 * variance))
        return -log_density / (self.pixels * math.log(2))

    def picture(self, outputs: Tensor, levels: int) -> Tensor:
        """Return the mean image for the decoder's outputs, grey values in [0, 1], in the shape of `outputs`."""
        if self.likelihood not in VARIANCE:
            return torch.sigmoid(outputs)
        return ((outputs - self.lowest) / (self.spacing * (levels - 1))).clamp(0, 1)

    def words(self) -> dict[str, Any]:
        """Return in words what likelihood the numbers of a run belong to."""
        likelihoods = {
            "bernoulli": "Bernoulli",
            "gaussian": "Gaussian of variance 1/2 on pixels in [-1, 1]",
            "gaussian_standardised": "Gaussian of variance 1 on standardised pixels",
            "cross_entropy": "none: cross-entropy of grey values in [0, 1], which no normalised density has",
            "cross_entropy_standardised": "none: cross-entropy of standardised pixels, which has no lower limit",
        }
        return {"likelihood": likelihoods[self.likelihood]}


def _moments(images: Tensor) -> tuple[float, float]:
    """Return mean and standard deviation of all levels, exact up to one rounding: no sum of floats is taken."""
    counts = torch.bincount(images.flatten().int(), minlength=256).tolist()
    total = sum(counts)
    first = sum(level * count for level, count in enumerate(counts))
    second = sum(level * level * count for level, count in enumerate(counts))
    return first / total, math.sqrt(second * total - first * first) / total

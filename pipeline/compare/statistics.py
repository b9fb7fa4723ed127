"""How sure a difference between two runs is: intervals, and how many seeds it would take to tell them apart.

Over seeds the differences are taken to be normal, and few: Student's t. Over images nothing is assumed of their
distribution, and there are hundreds of them: the bootstrap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import nctdtr, stdtr, stdtrit  # scipy.stats has them too, and takes a second to import

from pipeline.metrics.intervals import half_width

CONFIDENCE = 0.95
POWER = 0.8
MOST = 1000
"""Seeds beyond which `needed` gives up: nobody trains so many."""
ROUNDING = 1e-9
"""A standard deviation, relative to the mean, that is none."""


@dataclass(frozen=True)
class Bounds:
    """The two ends of a confidence interval."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high

    @property
    def turned(self) -> "Bounds":
        """The interval of the difference taken the other way round."""
        return Bounds(-self.high, -self.low)


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences.

    Args:
        mean: The mean.
        n: Number of pairs.
        spread: Standard deviation of the differences; `None`, as the next two, where the pairs do not show it.
        interval: Confidence interval of the mean.
        p: Probability of a mean at least as far from 0 where there is no difference.
    """

    mean: float
    n: int
    spread: float | None = None
    interval: Bounds | None = None
    p: float | None = None


def paired(first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE) -> Difference:
    """Return the mean of `first - second` with the interval of Student's t for paired values.

    For n differences with mean d and standard deviation s that is d +- t s / sqrt(n), where t is the quantile of
    Student's distribution with n - 1 degrees of freedom. Pairing takes out what a seed does to both alike; where it
    does nothing, the interval still holds. There is none of one pair, and none where all pairs differ by the same
    amount, as counts easily do: such pairs do not show how much a difference varies.

    Args:
        first: A value per seed.
        second: The values of another run for the same seeds, in the same order.
        confidence: Share of such intervals that hold the true difference.

    Raises:
        ValueError: If there are no values, or not as many of both.
    """
    differences = np.subtract(np.asarray(first, float), np.asarray(second, float))
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    mean, n = float(differences.mean()), len(differences)
    spread = float(differences.std(ddof=1)) if n > 1 else 0.0
    if n == 1 or (mean and spread < ROUNDING * abs(mean)):
        return Difference(mean, n)
    error = spread / sqrt(n)
    half = half_width(error, n - 1, confidence)
    p = 2 * float(stdtr(n - 1, -abs(mean) / error)) if error else 1.0
    return Difference(mean, n, spread, Bounds(mean - half, mean + half), p)


def power(mean: float, spread: float, n: int, confidence: float = CONFIDENCE) -> float:
    """Return the probability that the interval of `paired` excludes 0.

    Args:
        mean: The true difference.
        spread: Standard deviation of the paired differences.
        n: Number of pairs, at least 2.
        confidence: That of the interval.
    """
    critical, shift = float(stdtrit(n - 1, (1 + confidence) / 2)), abs(mean) / spread * sqrt(n)
    wrong_side = np.nan_to_num(nctdtr(n - 1, shift, -critical))  # scipy has no number for what is far below 1e-16
    return float(1 - nctdtr(n - 1, shift, critical) + wrong_side)


def needed(mean: float, spread: float, probability: float = POWER, confidence: float = CONFIDENCE) -> int | None:
    """Return how many pairs it takes for the interval of `paired` to exclude 0 with a given probability.

    The difference and its standard deviation are taken to be those found, so the answer is a rough one after few seeds.

    Args:
        mean: The difference.
        spread: Standard deviation of the paired differences.
        probability: The power of the test.
        confidence: That of the interval.

    Returns:
        The smallest such number; `None` where it is larger than `MOST`.
    """
    if not spread:
        return 2 if mean else None
    if power(mean, spread, MOST, confidence) < probability:
        return None
    low, high = 1, MOST  # too few, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(mean, spread, middle, confidence) >= probability else (middle, high)
    return high


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that keep their meaning when the smallest of several is picked.

    Reference: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 1979.
    """
    count, most = len(p_values), 0.0
    adjusted = [0.0] * count
    for rank, place in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        most = max(most, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = most
    return adjusted


def bootstrap(differences: ArrayLike, confidence: float = CONFIDENCE, resamples: int = 10_000, seed: int = 0) -> Bounds:
    """Return the percentile interval of the mean of differences `(n,)`, one per image, over resampled images.

    Reference: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    values, random = np.asarray(differences, float), np.random.default_rng(seed)
    batches = np.array_split(np.arange(resamples), max(1, resamples * len(values) // 2_000_000))
    means = [values[random.integers(len(values), size=(len(batch), len(values)))].mean(1) for batch in batches]
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Bounds(float(low), float(high))

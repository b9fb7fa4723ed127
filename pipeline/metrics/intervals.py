"""Confidence intervals of means and of shares."""

from scipy.stats import binomtest, t


def half_width(error: float, freedom: int, confidence: float) -> float:
    """Return half of the interval of Student's t around a mean, for values that are normal.

    Args:
        error: Standard error of the mean, estimated from the values.
        freedom: Degrees of freedom of that estimate: for n values n - 1.
        confidence: Share of such intervals that hold the true mean; each bound by itself holds more often.
    """
    return float(t.ppf((1 + confidence) / 2, freedom)) * error


def share(successes: int, tries: int, confidence: float) -> tuple[float, float]:
    """Return the exact interval of a probability, by the number of tries in which something happened.

    Reference: Clopper & Pearson, The Use of Confidence or Fiducial Limits, Biometrika 1934.
    """
    bounds = binomtest(successes, tries).proportion_ci(confidence, method="exact")
    return float(bounds.low), float(bounds.high)

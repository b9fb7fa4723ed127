"""Confidence intervals of means and of shares."""

from scipy.special import betaincinv, stdtrit  # scipy.stats has both, and takes a second to import


def half_width(error: float, degrees_of_freedom: int, confidence: float) -> float:
    """Return half of the interval of Student's t around a mean, for values that are normal.

    Args:
        error: Standard error of the mean, estimated from the values.
        degrees_of_freedom: Those of that estimate: for n values n - 1.
        confidence: Share of such intervals that hold the true mean; each bound by itself holds more often.
    """
    return float(stdtrit(degrees_of_freedom, (1 + confidence) / 2)) * error


def share(successes: int, tries: int, confidence: float) -> tuple[float, float]:
    """Return the exact interval of a probability, by the number of tries in which something happened.

    Reference: Clopper & Pearson, The Use of Confidence or Fiducial Limits, Biometrika 1934.
    """
    outside, failures = (1 - confidence) / 2, tries - successes
    low = float(betaincinv(successes, failures + 1, outside)) if successes else 0.0
    return low, float(betaincinv(successes + 1, failures, 1 - outside)) if failures else 1.0

"""What evaluators make of noise: the scale on which scores of generated images mean something."""

import math
from collections.abc import Sequence
from statistics import fmean

from pipeline.report.reported import Reported
from pipeline.report.results import Results

COVERED = "% of noise's distance covered"


def covered(results: Results, evaluator: str, distances: Sequence[float]) -> int:
    """Return how far images have come from noise to real ones, in percent, by the Fréchet distance of each seed."""
    found = results.finished.get(("features", evaluator))
    noise = results.metrics(found)["noise"]["frechet_distance"] if found else math.inf
    return round(100 * (1 - fmean(distances) / noise))


def least(reported: Reported) -> float:
    """Return the share below which scores mean nothing, as the claims about them state it."""
    return reported.claims["C10"].here[COVERED]

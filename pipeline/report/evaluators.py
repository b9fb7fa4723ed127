"""What evaluators make of noise: the scale on which scores of generated images mean something."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from pipeline.report.reported import Reported
from pipeline.report.results import Results

COVERED = "% of noise's distance covered"
BLIND = 0.5  # precision of noise from which on precision tells nothing of images


def covered(results: Results, evaluator: str, distances: Sequence[float]) -> int:
    """Return how far images have come from noise to real ones, in percent, by the Fréchet distance of each seed."""
    found = results.finished.get(("score_real", evaluator))
    noise = results.metrics(found)["noise"]["frechet_distance"] if found else math.inf
    return max(0, round(100 * (1 - fmean(distances) / noise)))


def blind(results: Results, evaluators: Iterable[str]) -> dict[str, float]:
    """Return evaluators by which noise has a precision of `BLIND` or more, and how much."""
    finished = [plan for name in dict.fromkeys(evaluators) if (plan := results.finished.get(("score_real", name)))]
    precision = {plan.run: float(results.metrics(plan)["noise"]["precision"]) for plan in finished}
    return {name: value for name, value in precision.items() if value >= BLIND}


def least(reported: Reported) -> float:
    """Return the share below which scores mean nothing, as the claims about them state it."""
    return reported.claims["C10"].here[COVERED]

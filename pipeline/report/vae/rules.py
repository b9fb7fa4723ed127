"""Rules of claims C01 to C06 and C57: autoencoders on binary images, in nats per image."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.report.claims import Finding, finding

TARGET = -102.0  # ELBO that the assignment asks for
ALIKE = 0.5  # largest difference between two trainings, about that between two seeds
BUMPS = 2  # epochs in which the curve may rise
LATE, FLAT = 0.25, 0.1  # the last quarter of the epochs has at most this share of the fall
IMPORTANCE, GAP = "200", 2.0  # the reports' K, and the "several" nats between log p(x) and the ELBO
CONVERGED, AFTER, STILL = 20, 100, 0.5  # epochs of the reports, of the longer run, and the gain that counts


Curve = Sequence[float]
"""The ELBO on the validation split after every epoch."""

Estimates = Mapping[str, float]
"""Estimates of log p(x) on the test split by the number K of importance samples."""


def target(curve: Curve) -> Finding:
    """Test C01."""
    return finding(curve[-1] >= TARGET, elbo=curve[-1])


def estimators(closed: Estimates, monte_carlo: Estimates) -> Finding | None:
    """Test C02 after training with KL in closed form and by Monte Carlo."""
    if IMPORTANCE not in closed or IMPORTANCE not in monte_carlo:
        return None
    gap = monte_carlo[IMPORTANCE] - closed[IMPORTANCE]
    return finding(abs(gap) < ALIKE, gap=gap, closed=closed[IMPORTANCE])


def operations(closed: int, monte_carlo: Mapping[int, int], network: str) -> Finding:
    """Test C03 on operations per image: of KL in closed form, of its estimate by number of samples, of a network."""
    counts = list(monte_carlo.values())
    return finding(closed < min(counts) and all(a < b for a, b in pairwise(counts)))


def descent(curve: Curve) -> Finding:
    """Test C04: where the ELBO falls, -ELBO rises."""
    rises = sum(b < a for a, b in pairwise(curve))
    late, whole = curve[-1] - curve[-1 - round(LATE * (len(curve) - 1))], curve[-1] - curve[0]
    tail = late / whole if whole else 1.0
    return finding(rises <= BUMPS and tail <= FLAT, rises=rises, tail=tail)


def bound(elbo: float, log_likelihood: Estimates) -> Finding | None:
    """Test C05 on the same images."""
    if IMPORTANCE not in log_likelihood:
        return None
    rising = [log_likelihood[k] for k in sorted(log_likelihood, key=int)]
    gap = log_likelihood[IMPORTANCE] - elbo
    return finding(all(a < b for a, b in pairwise(rising)) and gap >= GAP, gap=gap)


def longer(curve: Curve) -> Finding | None:
    """Test C06 on a longer run."""
    if len(curve) < AFTER:
        return None
    gain = curve[-1] - curve[CONVERGED - 1]
    return finding(gain > STILL, gain=gain, last=curve[-1])


def layers(without: float, with_layers: Mapping[int, float]) -> Finding:
    """Test C57 on the test ELBO without planar layers on the posterior, and with them, by their number."""
    gains = {count: elbo - without for count, elbo in with_layers.items()}
    return finding(all(gain > 0 for gain in gains.values()), gains=gains)

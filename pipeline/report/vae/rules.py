"""Rules of claims C01 to C06 and C57: autoencoders on binary images, in nats per image."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.report.claims import Finding, finding, gain

TARGET = -102.0  # ELBO that the assignment asks for
ALIKE = 0.5  # nats between two trainings that count as alike: two copies of the reports' code differ by 0.4
BUMPS = 2  # epochs in which the curve may rise: the printed one, of report 001, rises in one
LATE, FLAT = (
    0.25,
    0.1,
)  # the last quarter of the epochs has at most this share of the fall, of which an even one has 0.25
IMPORTANCE, GAP = "200", 2.0  # the reports' K, and the least of "several" nats: theirs are five
CONVERGED, AFTER, STILL = 20, 100, 0.5  # epochs of the reports, of a longer run, and a gain larger than `ALIKE`
TRAINED, NOTICED = 10, 0.05  # samples of the Monte-Carlo KL in training, and a share of a step that a clock tells apart


Curve = Sequence[float]
"""The ELBO on the validation split after every epoch."""

Estimates = Mapping[str, float]
"""Estimates of log p(x) on the test split by the number K of importance samples."""


def target(curve: Curve) -> Finding:
    """Test C01."""
    return finding(curve[-1] - TARGET, elbo=curve[-1])


def estimators(closed: Estimates, monte_carlo: Estimates) -> Finding | None:
    """Test C02 after training with KL in closed form and by Monte Carlo: the difference has two limits."""
    if IMPORTANCE not in closed or IMPORTANCE not in monte_carlo:
        return None
    gap = monte_carlo[IMPORTANCE] - closed[IMPORTANCE]
    return finding((ALIKE - gap, ALIKE + gap), gap=gap, closed=closed[IMPORTANCE])


def operations(closed: int, monte_carlo: Mapping[int, int], network: int) -> Finding:
    """Test C03 on operations per image: of KL in closed form, of its estimate by number of samples, of a network.

    The two parts are the estimate by itself, and a step of training with `TRAINED` samples.
    """
    counts = list(monte_carlo.values())
    share = (monte_carlo[TRAINED] - closed) / (network + closed)
    return finding(closed < min(counts) and all(a < b for a, b in pairwise(counts)), share - NOTICED, share=share)


def descent(curve: Curve) -> Finding:
    """Test C04: where the ELBO falls, -ELBO rises. The two parts are its bumps and its end."""
    rises = sum(b < a for a, b in pairwise(curve))
    late, whole = curve[-1] - curve[-1 - round(LATE * (len(curve) - 1))], curve[-1] - curve[0]
    tail = late / whole if whole else 1.0
    return finding(BUMPS + 0.5 - rises, FLAT - tail, rises=rises, tail=tail)


def bound(elbo: float, log_likelihood: Estimates) -> Finding | None:
    """Test C05 on the same images.

    That the estimate rises with K tests nothing: the groups of K samples are cuts of the same samples, and by Jensen's
    inequality every image's estimate rises, whatever the weights.
    """
    if IMPORTANCE not in log_likelihood:
        return None
    gap = log_likelihood[IMPORTANCE] - elbo
    return finding(gap - GAP, gap=gap)


def longer(curve: Curve) -> Finding | None:
    """Test C06 on a longer run."""
    if len(curve) < AFTER:
        return None
    more = curve[-1] - curve[CONVERGED - 1]
    return finding(more - STILL, gain=more, last=curve[-1])


def layers(without: Sequence[float], with_layers: Mapping[int, Sequence[float]], epochs: int) -> Finding:
    """Test C57 on the test ELBO of all seeds without planar layers on the posterior, and with them, by their number.

    Seeds are not paired: the size of the encoder shifts the random stream, so that two runs share no initial weights.
    """
    gains = {count: gain(without, elbos) for count, elbos in with_layers.items()}
    words = {
        count: f"{each.mean:+.2f}" + (f" ({each.low:+.2f} to {each.high:+.2f})" if each.count > 1 else "")
        for count, each in gains.items()
    }
    return finding(*gains.values(), gains=words, seeds={0: len(without), **{k: len(v) for k, v in with_layers.items()}})

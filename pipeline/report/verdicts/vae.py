"""Claims C01 to C06 and C57: autoencoders on binary images, in nats per image; mappings go from seeds."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.report.claims import Claim, Seeds, each, shared

TARGET = -102.0  # ELBO
ALIKE = 0.5  # largest difference between the two estimators of KL
BUMPS = 2  # epochs in which the curve may rise
LATE, FLAT = 0.25, 0.1  # the last quarter of the epochs has at most this share of the fall
IMPORTANCE, GAP = "200", 2.0  # K, and the "several" nats between log p(x) and the ELBO
CONVERGED, AFTER, STILL = 20, 100, 0.5  # epochs of the reports, of the longer run, and the gain that counts


def target(elbo: Seeds, figure: str = "", limit: str = "") -> Claim:
    """Test C01 on the validation ELBO after the last epoch."""
    return Claim(
        "C01",
        "000, 001, 002",
        "The ELBO reaches -102 nats within 20 epochs.",
        f"ELBO on the validation split at least {TARGET:g} after the last epoch",
        f"ELBO {each(elbo.values())}" if elbo else "",
        [value >= TARGET for value in elbo.values()],
        figure,
        limit,
    )


def estimators(analytic: Seeds, monte_carlo: Seeds, figure: str = "", limit: str = "") -> Claim:
    """Test C02 on log p(x) of the test split after training with KL in closed form and by Monte Carlo."""
    seeds = shared(analytic, monte_carlo)
    gaps = [monte_carlo[seed] - analytic[seed] for seed in seeds]
    return Claim(
        "C02",
        "000",
        "Training with the Monte-Carlo KL and with KL in closed form gives nearly the same log p(x).",
        f"log p(x), K = {IMPORTANCE}, of the same seed differs by less than {ALIKE:g} nats",
        f"closed form {each(analytic[seed] for seed in seeds)}, Monte Carlo less closed form {each(gaps)}"
        if seeds
        else "",
        [abs(gap) < ALIKE for gap in gaps],
        figure,
        limit,
    )


def cost(closed: int, monte_carlo: Mapping[int, int], network: int) -> Claim:
    """Test C03 on counted operations per image.

    Args:
        closed: of KL in closed form.
        monte_carlo: of its estimate, by the number of draws.
        network: of one forward and backward pass of the network that both train, 0 where none is trained.
    """
    estimates = ", ".join(f"{count:,} with {draws:,}" for draws, count in monte_carlo.items())
    most = max(monte_carlo.values())
    beside = f"; forward and backward pass of the network about {network:,}" if network else ""
    return Claim(
        "C03",
        "000",
        "The Monte-Carlo KL is heavier to compute.",
        "it takes more operations than the closed form with any number of draws, and the more the more draws",
        f"operations per image: closed form {closed:,}; draws: {estimates}{beside}",
        [closed < min(monte_carlo.values()) and all(a < b for a, b in pairwise(monte_carlo.values())) and most > 0],
        counted=True,
    )


def descent(curves: Mapping[str, Sequence[float]], figure: str = "", limit: str = "") -> Claim:
    """Test C04 on the validation -ELBO of every epoch."""
    rises = {seed: sum(b > a for a, b in pairwise(curve)) for seed, curve in curves.items()}
    tails = {seed: _late_share(curve) for seed, curve in curves.items()}
    return Claim(
        "C04",
        "001",
        "-ELBO falls nearly without bumps, and the late epochs are flat.",
        f"it rises in at most {BUMPS} epochs, and at most {FLAT:.0%} of its fall come in the last quarter of them",
        f"rises {each(rises.values(), 0)}; share of the last quarter {each((100 * t for t in tails.values()), 1)} %"
        if curves
        else "",
        [rises[seed] <= BUMPS and tails[seed] <= FLAT for seed in curves],
        figure,
        limit,
    )


def _late_share(curve: Sequence[float]) -> float:
    late = curve[-1 - round(LATE * (len(curve) - 1))]
    return (late - curve[-1]) / (curve[0] - curve[-1]) if curve[0] != curve[-1] else 1.0


def bound(elbo: Seeds, log_likelihood: Mapping[str, Mapping[str, float]], figure: str = "") -> Claim:
    """Test C05 on the test split.

    Args:
        elbo: the ELBO.
        log_likelihood: the estimate of log p(x) by the number K of importance samples.
        figure: see `Claim`.
    """
    rising = {seed: [at[k] for k in sorted(at, key=int)] for seed, at in log_likelihood.items()}
    gaps = {seed: at[IMPORTANCE] - elbo[seed] for seed, at in log_likelihood.items() if IMPORTANCE in at}
    return Claim(
        "C05",
        "000, 001, 002",
        "The importance-sampled log p(x) exceeds the ELBO on the same images by several nats.",
        f"the estimate rises with every K, and at K = {IMPORTANCE} lies at least {GAP:g} nats above the ELBO",
        f"gap {each(gaps.values())}, ELBO {each(elbo[seed] for seed in gaps)}" if gaps else "",
        [all(a < b for a, b in pairwise(rising[seed])) and gaps[seed] >= GAP for seed in gaps],
        figure,
    )


def longer(curves: Mapping[str, Sequence[float]], figure: str = "", limit: str = "") -> Claim:
    """Test C06 on the validation ELBO of every epoch of a longer run."""
    long = {seed: curve for seed, curve in curves.items() if len(curve) >= AFTER}
    gains = {seed: curve[-1] - curve[CONVERGED - 1] for seed, curve in long.items()}
    return Claim(
        "C06",
        "001",
        f"{CONVERGED} epochs are not converged.",
        f"the ELBO on the validation split gains more than {STILL:g} nats from epoch {CONVERGED} to {AFTER} or later",
        f"gain {each(gains.values())}, to {each(curve[-1] for curve in long.values())}" if gains else "",
        [gain > STILL for gain in gains.values()],
        figure,
        limit,
    )


def layers(without: Seeds, with_layers: Mapping[int, Seeds], figure: str = "", limit: str = "") -> Claim:
    """Test C57 on the test ELBO without planar layers on the posterior, and with them, by their number."""
    seeds = shared(without, *with_layers.values()) if with_layers else []
    gains = {seed: [scores[seed] - without[seed] for scores in with_layers.values()] for seed in seeds}
    words = "; ".join(
        f"gain with {count} layers {each(gains[seed][n] for seed in seeds)}" for n, count in enumerate(with_layers)
    )
    return Claim(
        "C57",
        "001",
        "A normalizing flow makes the posterior more flexible, and the bound better.",
        "the ELBO on the test split is above that of the same seed without layers, whatever their number",
        words if seeds else "",
        [all(gain > 0 for gain in gains[seed]) for seed in seeds],
        figure,
        limit,
    )

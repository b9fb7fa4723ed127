"""Rules of claims C10 to C17, C40 to C47, C60 to C67 and C83 to C85, about the GANs.

The rules of `RULES` compare runs: their arguments have the names of the runs, each a `Seed` of one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial

from pipeline.report.claims import FEWEST, Finding, Margin, Rule, finding, lacking, three

GRID = ("jsd_1", "jsd_2", "jsd_3", "w1_2", "w1_3")  # report 001's runs
CUB = ("vanilla", "lsgan", "wgan_gp")  # report 003's
LP, MLP = ("wgan_lp",), ("mlp",)  # report 000's, and report 004's
EARLY = 0.04  # share of the training, 4,000 of report 001's 100,000 steps, after which C42 and C43 look
SATURATED = 0.65  # nats of the JSD estimate, whose largest value is log 2 = 0.693
MOSTLY = 0.8  # share of the log
MOVES = 0.3  # rank correlation with steps: of forty rows of noise, three in a hundred have more
TREND = 0.8  # rank correlation with steps of what falls or rises throughout
ALIKE = 9  # pairs, of the ten of five runs, that two scores put in one order: by chance four times in a hundred
APART = 0.5  # rank correlation: below minus this, what leads in one lags in the other; noise in 16 places, 2 in 100
CHANGED, KEPT_LABEL = 0.5, 0.2  # share of labels that change under a large shift, and may change under a small one
LARGE = 50.0  # shift of a latent dimension: report 002 takes a hundred standard deviations
ABSENT = 0.2  # share of a digit, beside that of real images, below which it is nearly absent
LONG = 0.05  # share of gradients that may be longer than the bound allows: the penalty is an average, no bound
NEAR_ONE, EVEN = 0.2, 0.25  # distance of a mean gradient norm from 1, and spread of even ones
NARROW = 0.8  # diversity beside that of real images: samples that lack two of ten classes have about this
MOVED = 0.03  # by which rounding moves a distance, relative: weights perturbed by 1e-7 have moved it by 1 to 3 % after
# thousands of steps on CIFAR-10, and by up to a quarter in the default profile's 400 steps (`tools.perturb`): there one
# seed decides nothing, whatever the margin, and a verdict says that it comes from one
STEADIER = 1.85  # ratio of two deviations of ten values about lines; chance exceeds it once in 20 (F, 8 degrees each)
WORSE = 0.05  # by which the last generator's distance is above the best one's, relative: other samples move it less
SHARP = 0.8  # sharpness of mixed latent codes beside that of samples; two pictures' average keeps about a half
WAVE = 0.3  # autocorrelation: noise stays below
FAVOURED, MISSING = (
    0.02,
    0.01,
)  # by which a digit's share is above that of real images: two standard errors; a share of none
VANISHED, KEPT, PULL = 0.05, 0.5, 1.0  # |d loss / d output|: a twentieth, half and all of the cross-entropies' largest
NOTICED = 0.05  # share of a step that a clock tells apart


@dataclass(frozen=True)
class Seed:
    """What is known of one training.

    Args:
        scores: Its entry in `metrics.json`.
        real: What is known of real images, such as the classifier's `shares`.
        curves: Columns of `history.csv`, `step` among them.
        protocol: How it was scored.
    """

    scores: Mapping[str, Any]
    real: Mapping[str, Any]
    curves: Mapping[str, Sequence[float]]
    protocol: Mapping[str, Any]

    @property
    def steps(self) -> list[int]:
        """Generator steps after which a generator was stored."""
        return [int(step) for step in self.scores["snapshots"]]

    @property
    def distance(self) -> float:
        """Fréchet distance of the last generator."""
        return float(self.scores["final"]["frechet_distance"])

    def stored(self, key: str = "frechet_distance") -> list[float]:
        """Return one score of every stored generator."""
        return [float(scores[key]) for scores in self.scores["snapshots"].values()]


def correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Return Spearman's rank correlation, not a number where one side does not vary or has fewer than six values."""
    if len(x) < FEWEST or len(set(x)) == 1 or len(set(y)) == 1:
        return math.nan
    return round(float(pd.Series(x).rank().corr(pd.Series(y).rank())), 12)  # -0.9 and not a hair above it


def apart(less: float, more: float) -> float:
    """Return how far `more` lies above `less` and what rounding adds to it."""
    return more - (1 + MOVED) * less


def agreement(seed: Seed, column: str) -> float:
    """Return the rank correlation of a logged column with the Fréchet distance of the stored generators.

    The row logged nearest to each stored generator counts; generators that were stored before the first row do not.
    """
    logged, values = np.asarray(seed.curves["step"]), np.asarray(seed.curves[column])
    pairs = [
        (values[np.abs(logged - step).argmin()], distance)
        for step, distance in zip(seed.steps, seed.stored(), strict=True)
        if step >= logged[0]
    ]
    return correlation(*zip(*pairs, strict=True)) if pairs else math.nan


def later(seed: Seed, column: str) -> tuple[Sequence[float], Sequence[float]]:
    """Return steps and values of a logged column after the first `EARLY` of the training."""
    rows = [(s, v) for s, v in zip(seed.curves["step"], seed.curves[column], strict=True) if s > EARLY * seed.steps[-1]]
    return [s for s, _ in rows], [v for _, v in rows]


def ends(seed: Seed) -> tuple[float, float]:
    """Return the distances of the first generator that was stored after `EARLY` of the training, and of the last."""
    stored = [d for step, d in zip(seed.steps, seed.stored(), strict=True) if step > EARLY * seed.steps[-1]]
    return stored[0], stored[-1]


def saturated(seed: Seed) -> float:
    """Return the share of logged JSD estimates, each a mean over training batches, above `SATURATED`."""
    return float((np.asarray(seed.curves["jsd"]) > SATURATED).mean())


def wave(curve: Sequence[float]) -> tuple[float, float]:
    """Return period, in rows, and height of the first wave in the autocorrelation of a curve minus its linear trend.

    That is its largest value after it first was negative; height 0 where it never is.
    """
    values, rows = np.asarray(curve, dtype=float), np.arange(len(curve))
    rest = values - Polynomial.fit(rows, values, 1)(rows)
    full = np.correlate(rest, rest, "full")[len(rest) - 1 :]
    known = full[: 2 * len(rest) // 3] / full[0] if full[0] > 0 else np.zeros(1)
    below = (known < 0).nonzero()[0]
    if len(below) == 0:
        return math.nan, 0.0
    period = int(below[0] + known[below[0] :].argmax())
    return float(period), float(max(0.0, known[period]))


def nearest(seed: Seed, share: float) -> int:
    """Return the place of the generator that was stored nearest to a share of the training."""
    return int(np.abs(np.asarray(seed.steps) - share * seed.steps[-1]).argmin())


# B: WGAN-LP on SVHN
def quality(wgan_lp: Seed) -> Finding:
    """Test C10; the parts are distance and sharpness."""
    places = [nearest(wgan_lp, share) for share in (0, 1 / 3, 2 / 3, 1)]
    if len(set(places)) < len(places):
        return lacking(f"{len(wgan_lp.steps)} stored generators, one for each third of the training needed")
    sharp, distances = wgan_lp.stored("sharpness"), [wgan_lp.stored()[place] for place in places]
    fifth = nearest(wgan_lp, 1 / 5)
    return finding(
        tuple(apart(b, a) for a, b in pairwise(distances)),
        abs(sharp[fifth] - 1) - abs(sharp[-1] - 1) - MOVED,
        distances=distances,
        early=sharp[fifth],
        last=sharp[-1],
    )


def digits(wgan_lp: Seed) -> Finding | None:
    """Test C11; the parts are the diversity, the digits that are too frequent, and those that are rare."""
    made, real = wgan_lp.scores["final"]["shares"], wgan_lp.real["shares"]
    if len(real) != 10:
        return None
    often, rare = (5, 2), (1, 7, 9)
    return finding(
        wgan_lp.scores["final"]["diversity"] - NARROW,
        tuple(made[digit] - real[digit] - FAVOURED for digit in often),
        tuple(ABSENT * real[digit] - made[digit] for digit in rare),
        made={n: made[n] for n in (*often, *rare)},
        real={n: real[n] for n in (*often, *rare)},
    )


def shift(wgan_lp: Seed) -> Finding | None:
    """Test C12."""
    scales = wgan_lp.scores["perturbations"]
    if not {"1", "10"} <= set(scales):
        return None
    small, large = (float(np.mean(scales[key]["flips"])) for key in ("1", "10"))
    colour = float(np.mean(scales["10"]["colour"]))
    return finding((large - CHANGED, KEPT_LABEL - small), small=small, large=large, colour=colour)


def roles(wgan_lp: Seed) -> Finding | None:
    """Test C13: noise has no rank correlation, and does not confirm it."""
    at = wgan_lp.scores["perturbations"].get("10")
    if at is None:
        return None
    many = len(at["flips"])
    if many < FEWEST:
        return lacking(f"{many} latent dimensions, {FEWEST} needed")
    rank = correlation(at["flips"], at["colour"])
    return finding(-APART - rank, rank=rank, many=many, overlap=at["overlap"], chance=min(10, many) / many)


def collapse(wgan_lp: Seed) -> Finding | None:
    """Test C14."""
    scales = wgan_lp.scores["perturbations"]
    largest = max(scales, key=float)
    if float(largest) < LARGE:
        return None
    median = {size: float(np.median(scales[size]["entropy"])) for size in sorted(scales, key=float)}
    limit = 0.1 * math.log(len(wgan_lp.real["shares"]))
    collapsed = float(np.mean(np.asarray(scales[largest]["entropy"]) < limit))
    return finding(limit - median[largest], entropy=median, collapsed=collapsed)


def manifold(wgan_lp: Seed) -> Finding:
    """Test C15."""
    values = {way: wgan_lp.scores["interpolations"][way]["frechet_distance"] for way in ("latent", "pixel")}
    latent, pixel = (at[5] - (at[0] + at[-1]) / 2 for at in values.values())
    peak = int(np.argmax(values["pixel"])) / 10
    return finding((0.4 <= peak <= 0.6, pixel - max(0.0, 2 * latent)), latent=latent, pixel=pixel, peak=peak)


def blur(wgan_lp: Seed) -> Finding:
    """Test C16.

    The average of two unrelated pictures has about half the variance of the Laplacian of one, whatever the generator;
    so mixed latent codes must keep the sharpness of samples, too.
    """
    ways = wgan_lp.scores["interpolations"]
    latent, pixel = (float(np.mean(ways[way]["sharpness"][4:7])) for way in ("latent", "pixel"))
    samples = (ways["latent"]["sharpness"][0] + ways["latent"]["sharpness"][-1]) / 2
    return finding((apart(pixel, latent), latent - SHARP * samples), latent=latent, pixel=pixel, samples=samples)


def lipschitz(wgan_lp: Seed) -> Finding:
    """Test C17."""
    norms = wgan_lp.scores["gradient_norms"]
    return finding(LONG - norms["above_1.1"], above=norms["above_1.1"], percentile=norms["percentile_99"])


# E: the CIFAR-10 grid
def ranking(**grid: Seed) -> Finding:
    """Test C40."""
    claimed = [grid[name].distance for name in ("w1_3", "jsd_3", "jsd_2", "w1_2", "jsd_1")]
    found = sorted((seed.distance, name) for name, seed in grid.items())
    return finding(
        tuple(apart(a, b) for a, b in pairwise(claimed)),
        order=" < ".join(f"{name} {three(value)}" for value, name in found),
    )


def wasserstein(jsd_2: Seed, jsd_3: Seed, w1_2: Seed, w1_3: Seed) -> Finding:
    """Test C41; the parts are the two regularisers."""
    return finding(apart(w1_3.distance, jsd_3.distance), apart(w1_2.distance, jsd_2.distance))


def jsd_rises(jsd_2: Seed, jsd_3: Seed) -> Finding:
    """Test C42; each run is a part."""
    runs = {"jsd_2": jsd_2, "jsd_3": jsd_3}
    if (rows := min(len(later(run, "test_jsd")[0]) for run in runs.values())) < FEWEST:
        return lacking(f"{rows} logged rows after the start, {FEWEST} needed")
    trends = {name: correlation(*later(run, "test_jsd")) for name, run in runs.items()}
    distances = {name: ends(run) for name, run in runs.items()}
    return finding(
        *((trends[name] - MOVES, apart(*reversed(distances[name]))) for name in runs),
        trends=trends,
        distances=distances,
    )


def w1_indicates(jsd_2: Seed, jsd_3: Seed, w1_2: Seed, w1_3: Seed) -> Finding:
    """Test C43; each run with W1 is a part.

    Where the distance falls, an estimate tells of progress if it falls as well.
    """
    estimates = {
        "w1_2": (w1_2, "test_w1"),
        "w1_3": (w1_3, "test_w1"),
        "jsd_2": (jsd_2, "test_jsd"),
        "jsd_3": (jsd_3, "test_jsd"),
    }
    if (rows := min(len(later(run, column)[0]) for run, column in estimates.values())) < FEWEST:
        return lacking(f"{rows} logged rows after the start, {FEWEST} needed")
    trends = {name: correlation(*later(run, column)) for name, (run, column) in estimates.items()}
    parts = []
    for w1, run, jsd in (("w1_2", w1_2, "jsd_2"), ("w1_3", w1_3, "jsd_3")):
        first, _, last = np.array_split(later(run, "test_w1")[1], 3)
        settles = float(np.std(first) - np.std(last))
        parts.append((-MOVES - trends[w1], trends[jsd] - trends[w1], settles, apart(*reversed(ends(run)))))
    return finding(*parts, trends=trends)


def saturates(**grid: Seed) -> Finding:
    """Test C44; the parts are the estimate, the distance and the score."""
    share = saturated(grid["jsd_1"])
    distances, scores = (
        {name: seed.scores["final"][key] for name, seed in grid.items()}
        for key in ("frechet_distance", "inception_score")
    )
    distance, score = (sorted(values.values()).index(values["jsd_1"]) + 1 for values in (distances, scores))
    (own, *others), (poor, *better) = (
        [values["jsd_1"], *(value for name, value in values.items() if name != "jsd_1")]
        for values in (distances, scores)
    )
    return finding(
        share - MOSTLY,
        apart(max(others), own),
        apart(poor, min(better)),
        share=share,
        limit=SATURATED,
        distance=distance,
        score=score,
    )


def scores_agree(**grid: Seed) -> Finding:
    """Test C45 by counting pairs of runs: five are too few for a correlation."""
    both = [(seed.distance, float(seed.scores["final"]["inception_score"])) for seed in grid.values()]
    pairs = sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in combinations(both, 2))
    return finding(pairs - ALIKE + 0.5, pairs=pairs)


def average(**averaged: Seed) -> Finding:
    """Test C46 on the trainings with a running average; each is a part."""
    each = {name: (seed.distance, float(seed.scores["raw"]["frechet_distance"])) for name, seed in averaged.items()}
    compared = ", ".join(f"{name}: {three(mean)} against {three(raw)}" for name, (mean, raw) in each.items())
    return finding(*(apart(mean, raw) for mean, raw in each.values()), compared=compared)


# G: three losses on CUB
def order(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C60."""
    return finding((apart(lsgan.distance, vanilla.distance), apart(wgan_gp.distance, lsgan.distance)))


def worsens(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C61."""
    gaps = [run.stored()[-1] - min(run.stored()) for run in (vanilla, lsgan, wgan_gp)]
    best = vanilla.steps[int(np.argmin(vanilla.stored()))]
    held = (gaps[0] - WORSE * min(vanilla.stored()), gaps[0] - max(gaps[1:]))
    return finding(held, gaps=gaps, best=best, last=vanilla.steps[-1])


def stability(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C62 on the spread about a line, for a distance that still falls is not unstable."""
    spreads = [_spread(run.steps[-10:], run.stored()[-10:]) for run in (vanilla, lsgan, wgan_gp)]
    return finding(tuple(more - STEADIER * less for more, less in pairwise(spreads)), spreads=spreads)


def _spread(steps: Sequence[float], values: Sequence[float]) -> float:
    """Return the standard deviation of values about their linear trend."""
    rest = np.asarray(values) - Polynomial.fit(steps, values, 1)(np.asarray(steps, dtype=float))
    return float(np.sqrt((rest**2).sum() / max(1, len(rest) - 2)))


def even_gradients(wgan_gp: Seed) -> Finding:
    """Test C65."""
    half = len(wgan_gp.curves["gradient_norm"]) // 2
    mean, spread = (float(np.mean(wgan_gp.curves[key][half:])) for key in ("gradient_norm", "gradient_norm_spread"))
    return finding((NEAR_ONE - abs(mean - 1), EVEN - spread), mean=mean, spread=spread)


def smooth(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C66."""
    uneven = [run.scores["traversal"]["unevenness"] for run in (vanilla, lsgan, wgan_gp)]
    return finding(apart(max(uneven[1:]), uneven[0]))


def mode_collapse(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C67."""
    diversity, recall = (
        [run.scores["final"][key] for run in (vanilla, lsgan, wgan_gp)] for key in ("diversity", "recall")
    )
    lowest = (apart(values[1], min(values[0], values[2])) for values in (diversity, recall))
    return finding((*lowest, NARROW - diversity[1]), diversity=diversity, recall=recall)


# I: the MLP on MNIST
def waves(mlp: Seed) -> Finding:
    """Test C83."""
    names = {"critic, real": "loss_real", "critic, fake": "loss_fake", "generator": "loss_generator"}
    row = mlp.curves["step"][1] - mlp.curves["step"][0]
    found = {label: wave(mlp.curves[column]) for label, column in names.items()}
    words = {
        label: f"{height:.2f}" + (f" at a period of {period * row:,.0f} steps" if height else "")
        for label, (period, height) in found.items()
    }
    return finding(sorted(height for _, height in found.values())[1] - WAVE, waves=words)


def favourites(mlp: Seed) -> Finding | None:
    """Test C84; each of the five digits is a part, and that a digit is missing."""
    made, real = mlp.scores["final"]["shares"], mlp.real["shares"]
    if len(real) != 10:
        return None
    ours = {digit: made[digit] for digit in (1, 4, 7, 8, 9)}
    missing = [str(digit) for digit in range(10) if made[digit] < MISSING]
    preferred: list[Margin] = [share - real[digit] - FAVOURED for digit, share in ours.items()]
    theirs, absent = {digit: real[digit] for digit in ours}, ", ".join(missing) or "none"
    return finding(*preferred, MISSING - min(made), ours=ours, theirs=theirs, missing=absent)


def improves(mlp: Seed) -> Finding:
    """Test C85."""
    if len(mlp.steps) < FEWEST:
        return lacking(f"{len(mlp.steps)} stored generators, {FEWEST} needed")
    distance, score = (correlation(mlp.steps, mlp.stored(key)) for key in ("frechet_distance", "inception_score"))
    return finding((-TREND - distance, score - TREND), distance=distance, score=score)


RULES: Mapping[str, tuple[Rule, tuple[str, ...]]] = {
    "C10": (quality, LP), "C11": (digits, LP), "C12": (shift, LP), "C13": (roles, LP), "C14": (collapse, LP),
    "C15": (manifold, LP), "C16": (blur, LP), "C17": (lipschitz, LP), "C40": (ranking, GRID),
    "C41": (wasserstein, GRID[1:]), "C42": (jsd_rises, GRID[1:3]), "C43": (w1_indicates, GRID[1:]),
    "C44": (saturates, GRID), "C45": (scores_agree, GRID), "C60": (order, CUB), "C61": (worsens, CUB),
    "C62": (stability, CUB), "C65": (even_gradients, CUB[2:]), "C66": (smooth, CUB), "C67": (mode_collapse, CUB),
    "C83": (waves, MLP), "C84": (favourites, MLP), "C85": (improves, MLP),
}  # fmt: skip
"""Rules that compare runs seed by seed, and the names of these runs."""


# what no seed changes
def speed(jsd_1: int, jsd_2: int, jsd_3: int) -> Finding:
    """Test C47 on counted operations of a critic step with no regulariser, with spectral norm and with R1.

    The parts are R1 beside spectral norm, and that beside neither.
    """
    more = (jsd_3 / jsd_2 - 1, jsd_2 / jsd_1 - 1)
    return finding(*(share - NOTICED for share in more), spectral=jsd_2 / jsd_1, r1=jsd_3 / jsd_1)


def rejected(jsd: Sequence[float], ns: Sequence[float], lsgan: Sequence[float], w1: Sequence[float]) -> Finding:
    """Test C63 on |d loss / d output| of four losses at the outputs -6, 3 and 6 for a fake image.

    The parts are the cross-entropy on a rejected fake, on an accepted one, which is the report's worked example, and
    the other two losses.
    """
    return finding(VANISHED - ns[0], VANISHED - ns[2], min(lsgan[0], w1[0]) - KEPT)


def accepted(jsd: Sequence[float], ns: Sequence[float], lsgan: Sequence[float], w1: Sequence[float]) -> Finding:
    """Test C64 on the same numbers."""
    return finding((min(lsgan[1:]) - PULL, VANISHED - max(ns[1:])))

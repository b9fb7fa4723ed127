"""Rules of claims C10 to C17, C40 to C47, C60 to C67 and C83 to C86, about the GANs.

The rules of `RULES` compare runs: their arguments have the names of the runs, each a `Seed` of one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial

from pipeline.report.claims import Finding, Rule, finding, three

GRID = ("jsd_1", "jsd_2", "jsd_3", "w1_2", "w1_3")  # report 001's runs
CUB = ("vanilla", "lsgan", "wgan_gp")  # report 003's
LP, MLP = ("wgan_lp",), ("mlp",)  # report 000's, and report 004's
EARLY = 0.04  # share of the training, 4,000 of report 001's 100,000 steps, after which C42 and C43 look
SATURATED = 0.65  # nats of the JSD estimate, whose largest value is log 2 = 0.693
MOSTLY = 0.8  # share of the log
TREND = 0.8  # rank correlation of what falls or rises throughout
ALIKE = 0.9  # rank correlation of five runs in which at most two neighbours are exchanged
APART = 0.5  # rank correlation of what has little in common
LARGE = 50.0  # shift of a latent dimension: report 002 takes a hundred standard deviations
LONG = 0.05  # share of gradients that may be longer than the bound allows
NEAR_ONE, EVEN = 0.2, 0.25  # distance of a mean gradient norm from 1, and spread of even ones
NARROW = 0.8  # diversity beside that of real images
WAVE = 0.3  # autocorrelation: noise stays below
STRIDE = 0.3  # share of a path in one of its ten steps, three times an even one
VANISHED, KEPT, PULL = 0.05, 0.5, 1.0  # |d loss / d output|, which is at most 1 for the cross-entropies


@dataclass(frozen=True)
class Seed:
    """What is known of one training.

    Args:
        scores: Its entry in `metrics.json`.
        real: What is known of real images, such as the classifier's `shares`.
        curves: Columns of `history.csv`, `step` among them.
    """

    scores: Mapping[str, Any]
    real: Mapping[str, Any]
    curves: Mapping[str, Sequence[float]]

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
    """Return Spearman's rank correlation, not a number where one side does not vary or has fewer than three values."""
    if len(x) < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        return math.nan
    return round(float(pd.Series(x).rank().corr(pd.Series(y).rank())), 12)  # -0.9 and not a hair above it


def agreement(seed: Seed, column: str, after: float = 0.0) -> float:
    """Return the rank correlation of a logged column with the Fréchet distance of the stored generators.

    Args:
        seed: The training.
        column: One of its curves; the row logged nearest to each stored generator counts.
        after: Share of the training that is left out at the start, besides what lies before the first row.
    """
    logged, values = np.asarray(seed.curves["step"]), np.asarray(seed.curves[column])
    first = max(logged[0], after * seed.steps[-1])
    pairs = [
        (values[np.abs(logged - step).argmin()], distance)
        for step, distance in zip(seed.steps, seed.stored(), strict=True)
        if step >= first
    ]
    return correlation(*zip(*pairs, strict=True)) if pairs else math.nan


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


# B: WGAN-LP on SVHN
def quality(wgan_lp: Seed) -> Finding:
    """Test C10."""
    sharp, fifth = wgan_lp.stored("sharpness"), int(np.abs(np.asarray(wgan_lp.steps) - wgan_lp.steps[-1] / 5).argmin())
    fall = correlation(wgan_lp.steps, wgan_lp.stored())
    held = fall <= -TREND and abs(sharp[-1] - 1) < abs(sharp[fifth] - 1)
    return finding(held, fall=fall, early=sharp[fifth], last=sharp[-1])


def digits(wgan_lp: Seed) -> Finding | None:
    """Test C11."""
    made, real = wgan_lp.scores["final"]["shares"], wgan_lp.real["shares"]
    if len(real) != 10:
        return None
    often, rare = (5, 2), (1, 7, 9)
    held = all(made[digit] > real[digit] for digit in often) and all(made[digit] < real[digit] / 5 for digit in rare)
    return finding(held, made={n: made[n] for n in (*often, *rare)}, real={n: real[n] for n in (*often, *rare)})


def shift(wgan_lp: Seed) -> Finding | None:
    """Test C12."""
    scales = wgan_lp.scores["perturbations"]
    if not {"1", "10"} <= set(scales):
        return None
    small, large = (float(np.mean(scales[key]["flips"])) for key in ("1", "10"))
    return finding(
        large > 0.5 and small <= 0.2, small=small, large=large, colour=float(np.mean(scales["10"]["colour"]))
    )


def roles(wgan_lp: Seed) -> Finding | None:
    """Test C13."""
    at = wgan_lp.scores["perturbations"].get("10")
    if at is None:
        return None
    rank, many = correlation(at["flips"], at["colour"]), len(at["flips"])
    return finding(rank < APART, rank=rank, many=many, overlap=at["overlap"], chance=min(10, many) / many)


def collapse(wgan_lp: Seed) -> Finding | None:
    """Test C14."""
    scales = wgan_lp.scores["perturbations"]
    largest = max(scales, key=float)
    if float(largest) < LARGE:
        return None
    median = {size: float(np.median(scales[size]["entropy"])) for size in sorted(scales, key=float)}
    limit = 0.1 * math.log(len(wgan_lp.real["shares"]))
    collapsed = float(np.mean(np.asarray(scales[largest]["entropy"]) < limit))
    return finding(median[largest] < limit, entropy=median, collapsed=collapsed)


def manifold(wgan_lp: Seed) -> Finding:
    """Test C15."""
    values = {way: wgan_lp.scores["interpolations"][way]["frechet_distance"] for way in ("latent", "pixel")}
    latent, pixel = (at[5] - (at[0] + at[-1]) / 2 for at in values.values())
    peak = int(np.argmax(values["pixel"])) / 10
    return finding(0.4 <= peak <= 0.6 and pixel > max(0.0, 2 * latent), latent=latent, pixel=pixel, peak=peak)


def blur(wgan_lp: Seed) -> Finding:
    """Test C16."""
    ways = wgan_lp.scores["interpolations"]
    latent, pixel = (float(np.mean(ways[way]["sharpness"][4:7])) for way in ("latent", "pixel"))
    return finding(pixel < latent, latent=latent, pixel=pixel)


def lipschitz(wgan_lp: Seed) -> Finding:
    """Test C17."""
    norms = wgan_lp.scores["gradient_norms"]
    return finding(norms["above_1.1"] <= LONG, above=norms["above_1.1"], percentile=norms["percentile_99"])


# E: the CIFAR-10 grid
def ranking(**grid: Seed) -> Finding:
    """Test C40."""
    claimed = [grid[name].distance for name in ("w1_3", "jsd_3", "jsd_2", "w1_2", "jsd_1")]
    found = sorted((seed.distance, name) for name, seed in grid.items())
    return finding(
        all(a < b for a, b in pairwise(claimed)), order=" < ".join(f"{name} {three(value)}" for value, name in found)
    )


def wasserstein(jsd_2: Seed, jsd_3: Seed, w1_2: Seed, w1_3: Seed) -> Finding:
    """Test C41."""
    return finding(w1_3.distance < jsd_3.distance and w1_2.distance < jsd_2.distance)


def jsd_rises(jsd_2: Seed, jsd_3: Seed) -> Finding:
    """Test C42."""
    spectral, r1 = (agreement(run, "test_jsd", EARLY) for run in (jsd_2, jsd_3))
    return finding(spectral < 0 and r1 < 0, spectral=spectral, r1=r1)


def w1_indicates(jsd_2: Seed, jsd_3: Seed, w1_2: Seed, w1_3: Seed) -> Finding:
    """Test C43."""
    w1 = {"w1_2": agreement(w1_2, "test_w1", EARLY), "w1_3": agreement(w1_3, "test_w1", EARLY)}
    jsd = {"jsd_2": agreement(jsd_2, "test_jsd", EARLY), "jsd_3": agreement(jsd_3, "test_jsd", EARLY)}
    held = all(a > max(0.0, b) for a, b in zip(w1.values(), jsd.values(), strict=True))
    return finding(held, correlations=w1 | jsd)


def saturates(**grid: Seed) -> Finding:
    """Test C44."""
    share = saturated(grid["jsd_1"])
    distances, scores = (
        {name: seed.scores["final"][key] for name, seed in grid.items()}
        for key in ("frechet_distance", "inception_score")
    )
    distance, score = (sorted(values.values()).index(values["jsd_1"]) + 1 for values in (distances, scores))
    held = share > MOSTLY and distances["jsd_1"] == max(distances.values()) and score == 1
    return finding(held, share=share, limit=SATURATED, distance=distance, score=score)


def scores_agree(**grid: Seed) -> Finding:
    """Test C45."""
    scores = [seed.scores["final"]["inception_score"] for seed in grid.values()]
    rank = correlation(scores, [seed.distance for seed in grid.values()])
    return finding(rank <= -ALIKE, rank=rank)


# G: three losses on CUB
def order(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C60."""
    return finding(vanilla.distance > lsgan.distance > wgan_gp.distance)


def worsens(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C61."""
    gaps = [run.stored()[-1] - min(run.stored()) for run in (vanilla, lsgan, wgan_gp)]
    best = vanilla.steps[int(np.argmin(vanilla.stored()))]
    return finding(gaps[0] > max(gaps[1:]), gaps=gaps, best=best, last=vanilla.steps[-1])


def stability(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C62."""
    spreads = [float(np.std(run.stored()[-10:], ddof=1)) for run in (vanilla, lsgan, wgan_gp)]
    return finding(spreads[0] > spreads[1] > spreads[2], spreads=spreads)


def even_gradients(wgan_gp: Seed) -> Finding:
    """Test C65."""
    half = len(wgan_gp.curves["gradient_norm"]) // 2
    mean, spread = (float(np.mean(wgan_gp.curves[key][half:])) for key in ("gradient_norm", "gradient_norm_spread"))
    return finding(abs(mean - 1) <= NEAR_ONE and spread <= EVEN, mean=mean, spread=spread)


def smooth(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C66."""
    uneven = [run.scores["traversal"]["unevenness"] for run in (vanilla, lsgan, wgan_gp)]
    return finding(uneven[0] > max(uneven[1:]))


def mode_collapse(vanilla: Seed, lsgan: Seed, wgan_gp: Seed) -> Finding:
    """Test C67."""
    diversity, recall = (
        [run.scores["final"][key] for run in (vanilla, lsgan, wgan_gp)] for key in ("diversity", "recall")
    )
    held = diversity[1] == min(diversity) and recall[1] == min(recall) and diversity[1] < NARROW
    return finding(held, diversity=diversity, recall=recall)


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
    return finding(sum(height >= WAVE for _, height in found.values()) >= 2, waves=words)


def favourites(mlp: Seed) -> Finding | None:
    """Test C84."""
    made, real = mlp.scores["final"]["shares"], mlp.real["shares"]
    if len(real) != 10:
        return None
    ours, theirs = (sum(shares[digit] for digit in (1, 4, 7, 8, 9)) for shares in (made, real))
    missing = [str(digit) for digit in range(10) if made[digit] < 0.01]
    held = ours > theirs + 0.1 and bool(missing)
    return finding(held, ours=ours, theirs=theirs, missing=", ".join(missing) or "none")


def improves(mlp: Seed) -> Finding:
    """Test C85."""
    distance, score = (correlation(mlp.steps, mlp.stored(key)) for key in ("frechet_distance", "inception_score"))
    return finding(distance <= -TREND and score >= TREND, distance=distance, score=score)


def between(mlp: Seed) -> Finding:
    """Test C86."""
    path = mlp.scores["interpolations"]["latent"]
    middle, ends, stride = path["entropy"][5], (path["entropy"][0] + path["entropy"][-1]) / 2, path["largest_step"]
    return finding(stride <= STRIDE and middle > ends, stride=stride, middle=middle, ends=ends)


RULES: Mapping[str, tuple[Rule, tuple[str, ...]]] = {
    "C10": (quality, LP), "C11": (digits, LP), "C12": (shift, LP), "C13": (roles, LP), "C14": (collapse, LP),
    "C15": (manifold, LP), "C16": (blur, LP), "C17": (lipschitz, LP), "C40": (ranking, GRID),
    "C41": (wasserstein, GRID[1:]), "C42": (jsd_rises, GRID[1:3]), "C43": (w1_indicates, GRID[1:]),
    "C44": (saturates, GRID), "C45": (scores_agree, GRID), "C60": (order, CUB), "C61": (worsens, CUB),
    "C62": (stability, CUB), "C65": (even_gradients, CUB[2:]), "C66": (smooth, CUB), "C67": (mode_collapse, CUB),
    "C83": (waves, MLP), "C84": (favourites, MLP), "C85": (improves, MLP), "C86": (between, MLP),
}  # fmt: skip
"""Rules that compare runs seed by seed, and the names of these runs."""


# what no seed changes
def average(**runs: tuple[float, float]) -> Finding:
    """Test C46 on the distances of the running average and of the generator itself, of each training by its name."""
    compared = {name: f"{three(mean)} against {three(raw)}" for name, (mean, raw) in runs.items()}
    return finding(*(mean < raw for mean, raw in runs.values()), compared=compared)


def speed(jsd_1: int, jsd_2: int, jsd_3: int) -> Finding:
    """Test C47 on counted operations of a critic step with no regulariser, with spectral norm and with R1."""
    return finding(jsd_1 < jsd_2 < jsd_3, spectral=jsd_2 / jsd_1, r1=jsd_3 / jsd_1)


def rejected(jsd: Sequence[float], ns: Sequence[float], lsgan: Sequence[float], w1: Sequence[float]) -> Finding:
    """Test C63 on |d loss / d output| of four losses at the outputs -6, 3 and 6 for a fake image."""
    return finding(ns[0] < VANISHED and min(lsgan[0], w1[0]) >= KEPT)


def accepted(jsd: Sequence[float], ns: Sequence[float], lsgan: Sequence[float], w1: Sequence[float]) -> Finding:
    """Test C64 on the same numbers."""
    return finding(min(lsgan[1:]) >= PULL and max(ns[1:]) < VANISHED)

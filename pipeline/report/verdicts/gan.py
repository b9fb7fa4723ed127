"""Claims C10 to C17, C40 to C47, C60 to C67 and C83 to C86, about the GANs, each a function of plain numbers.

A judge takes one `Seed` of each run that its claim names and returns whether the rule holds, with what it found, or
nothing if the runs have not measured it. `CLAIMS` says which runs those are and what they need to carry a verdict.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.polynomial import Polynomial

from pipeline.gan.losses import generator_loss
from pipeline.report.claims import Claim, shared

Finding = tuple[bool, str] | None

GRID = ("jsd_1", "jsd_2", "jsd_3", "w1_2", "w1_3")  # report 001's runs
CUB = ("vanilla", "lsgan", "wgan_gp")  # report 003's
TRAINED = 4000  # generator steps before which a ranking of runs says little; also where report 001's curves turn
EARLY = 0.04  # share of the training, 4,000 of report 001's 100,000 steps, after which C42 and C43 look
SATURATED = 0.65  # nats of the JSD estimate, whose largest value is log 2 = 0.693
TREND = 0.8  # rank correlation of what falls or rises throughout


@dataclass(frozen=True)
class Seed:
    """What is known of one training.

    Args:
        scores: its entry in `metrics.json`.
        real: of real images: the classifier's `shares`.
        curves: columns of `history.csv`, `epoch` the generator steps.
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

    def course(self, key: str) -> list[float]:
        """Return one score of every stored generator."""
        return [float(scores[key]) for scores in self.scores["snapshots"].values()]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        seeds: its trainings, by seed.
        data: name of its data set.
        steps: of the generator.
        ema: decay of the running average, 0 where there is none.
    """

    seeds: Mapping[str, Seed]
    data: str
    steps: int
    ema: float = 0.0


@dataclass(frozen=True)
class Rule:
    """How one claim is judged.

    Args:
        name, reports, words, rule, figure: see `Claim`.
        runs: whose seeds the judge takes, in this order.
        judge: see the module.
        steps: generator steps that a verdict needs.
        stored: stored generators that a verdict needs.
        rows: rows of the history that a verdict needs.
        data: the data set that the claim is about, if it is about one.
    """

    name: str
    reports: str
    words: str
    rule: str
    runs: tuple[str, ...]
    judge: Callable[..., Finding]
    figure: str
    steps: int = 0
    stored: int = 0
    rows: int = 0
    data: str = ""

    def claim(self, runs: Mapping[str, Run]) -> Claim:
        """Judge the claim on those of `runs` that it names."""
        asked = [runs[name] for name in self.runs if name in runs]
        found: dict[str, tuple[bool, str]] = {}
        if len(asked) == len(self.runs):
            for seed in shared(*(run.seeds for run in asked)):
                if finding := self.judge(*(run.seeds[seed] for run in asked)):
                    found[seed] = finding
        words = [f"seed {seed}: {text}" if len(found) > 1 else text for seed, (_, text) in found.items()]
        return Claim(
            self.name, self.reports, self.words, self.rule, "; ".join(words), [held for held, _ in found.values()],
            self.figure if found else "", self.limit(asked),
        )  # fmt: skip

    def limit(self, runs: Sequence[Run]) -> str:
        """Return why these runs cannot carry a verdict, nothing if they can."""
        seeds = [seed for run in runs for seed in run.seeds.values()]
        reasons = []
        if other := sorted({run.data for run in runs} - {self.data or run.data for run in runs}):
            reasons.append(f"the claim is about {self.data}, not {' or '.join(other)}")
        for what, counts, needed in (
            ("generator steps", [run.steps for run in runs], self.steps),
            ("stored generators", [len(seed.steps) for seed in seeds], self.stored),
            ("logged rows", [len(seed.curves["epoch"]) for seed in seeds], self.rows),
        ):
            reasons.append(few(what, counts, needed))
        return "; ".join(filter(None, reasons))


def claims(runs: Mapping[str, Run], operations: Mapping[str, int]) -> list[Claim]:
    """Judge all claims of the family.

    Args:
        runs: the finished ones, by name.
        operations: of a critic step per image, counted, of those of `jsd_1`, `jsd_2`, `jsd_3` that are planned.
    """
    return [*(rule.claim(runs) for rule in CLAIMS), average(runs), speed(operations), *gradients()]


def few(what: str, counts: Iterable[int], needed: int) -> str:
    """Return the limit of runs of which one has less than it needs, nothing if none has."""
    least = min(counts, default=needed)
    return f"{least:,} {what} of at least {needed:,}" if least < needed else ""


def correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Return Spearman's rank correlation, not a number where one side does not vary or has less than three values."""
    if len(x) < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        return math.nan
    return round(float(pd.Series(x).rank().corr(pd.Series(y).rank())), 12)  # -0.9 and not a hair above it


def agreement(seed: Seed, column: str, after: float = 0.0) -> float:
    """Return the rank correlation of a logged column with the Fréchet distance of the stored generators.

    Args:
        seed: the training.
        column: of its curves; the row logged nearest to each stored generator counts.
        after: share of the training that is left out at the start, besides what lies before the first row.
    """
    logged, values = np.asarray(seed.curves["epoch"]), np.asarray(seed.curves[column])
    first = max(logged[0], after * seed.steps[-1])
    pairs = [
        (values[np.abs(logged - step).argmin()], distance)
        for step, distance in zip(seed.steps, seed.course("frechet_distance"), strict=True)
        if step >= first
    ]
    return correlation(*zip(*pairs, strict=True)) if pairs else math.nan


def saturated(seed: Seed) -> float:
    """Return the share of logged JSD estimates, each a mean over training batches, above `SATURATED`."""
    return float((np.asarray(seed.curves["jsd"]) > SATURATED).mean())


def three(value: float) -> str:
    """Return a number with three digits, or as a whole one."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def wave(curve: Sequence[float]) -> tuple[float, float]:
    """Return period, in rows, and height of the first wave in the autocorrelation of a curve less its linear trend.

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


# ------------------------------------------------------------------------------ B: WGAN-LP on SVHN


def _quality(run: Seed) -> Finding:
    sharp, fifth = run.course("sharpness"), int(np.abs(np.asarray(run.steps) - run.steps[-1] / 5).argmin())
    fall = correlation(run.steps, run.course("frechet_distance"))
    held = fall <= -TREND and abs(sharp[-1] - 1) < abs(sharp[fifth] - 1)
    return held, f"rank correlation {fall:.2f}; sharpness {sharp[fifth]:.2f} after a fifth, {sharp[-1]:.2f} at the end"


def _digits(run: Seed) -> Finding:
    made, real = run.scores["final"]["shares"], run.real["shares"]
    if len(real) != 10:
        return None
    held = all(made[digit] > real[digit] for digit in (2, 5)) and all(
        made[digit] < real[digit] / 5 for digit in (1, 7, 9)
    )
    text = ", ".join(f"{digit}: {made[digit]:.0%} ({real[digit]:.0%})" for digit in (5, 2, 1, 7, 9))
    return held, f"generated (real) {text}; total variation distance {run.scores['final']['label_distance']:.2f}"


def _shift(run: Seed) -> Finding:
    scales = run.scores["perturbations"]
    if not {"1", "10"} <= set(scales):
        return None
    small, large = (float(np.mean(scales[key]["flips"])) for key in ("1", "10"))
    colour = float(np.mean(scales["10"]["colour"]))
    return (
        large > 0.5 and small <= 0.2,
        f"{small:.0%} at 1, {large:.0%} at 10; colours move {colour:.0f} grey levels at 10",
    )


def _roles(run: Seed) -> Finding:
    at = run.scores["perturbations"].get("10")
    if at is None:
        return None
    rank = correlation(at["flips"], at["colour"])
    many = len(at["flips"])
    chance = min(10, many) / many
    return (
        rank < 0.5,
        f"rank correlation {rank:.2f} over {many} dimensions;"
        f" {at['overlap']:.0%} of the ten leaders in common (chance {chance:.0%})",
    )


def _collapse(run: Seed) -> Finding:
    scales = run.scores["perturbations"]
    sizes = sorted(scales, key=float)
    if float(sizes[-1]) < 50:
        return None
    median = {size: float(np.median(scales[size]["entropy"])) for size in sizes}
    limit = 0.1 * math.log(len(run.real["shares"]))
    few = float(np.mean(np.asarray(scales[sizes[-1]]["entropy"]) < limit))
    text = ", ".join(f"{value:.2f} at {size}" for size, value in median.items())
    return median[sizes[-1]] < limit, f"median entropy {text} nats; {few:.0%} of the dimensions at {sizes[-1]}"


def _manifold(run: Seed) -> Finding:
    excess, peaks = {}, {}
    for way in ("latent", "pixel"):
        values = run.scores["interpolations"][way]["frechet_distance"]
        excess[way] = values[5] - (values[0] + values[-1]) / 2
        peaks[way] = int(np.argmax(values)) / 10
    held = 0.4 <= peaks["pixel"] <= 0.6 and excess["pixel"] > max(0.0, 2 * excess["latent"])
    return (
        held,
        f"rise at 0.5: codes {three(excess['latent'])}, pixels {three(excess['pixel'])};"
        f" pixels worst at {peaks['pixel']:g}",
    )


def _blur(run: Seed) -> Finding:
    latent, pixel = (float(np.mean(run.scores["interpolations"][way]["sharpness"][4:7])) for way in ("latent", "pixel"))
    return pixel < latent, f"sharpness at 0.4 to 0.6: codes {latent:.3g}, pixels {pixel:.3g}"


def _lipschitz(run: Seed) -> Finding:
    found = run.scores["slopes"]
    return found[
        "above_1.1"
    ] <= 0.05, f"{found['above_1.1']:.1%} above 1.1, 99th percentile {found['percentile_99']:.2f}"


# ------------------------------------------------------------------------------ E: the CIFAR-10 grid


def _ranking(*runs: Seed) -> Finding:
    order = ("w1_3", "jsd_3", "jsd_2", "w1_2", "jsd_1")
    distances = {name: run.distance for name, run in zip(GRID, runs, strict=True)}
    text = " < ".join(f"{name} {three(distances[name])}" for name in sorted(distances, key=distances.__getitem__))
    return all(distances[a] < distances[b] for a, b in pairwise(order)), text


def _wasserstein(jsd_2: Seed, jsd_3: Seed, w1_2: Seed, w1_3: Seed) -> Finding:
    pairs = {"R1": (w1_3.distance, jsd_3.distance), "spectral norm": (w1_2.distance, jsd_2.distance)}
    text = "; ".join(f"with {name} {three(w1)} against {three(jsd)}" for name, (w1, jsd) in pairs.items())
    return all(w1 < jsd for w1, jsd in pairs.values()), text


def _jsd_rises(jsd_2: Seed, jsd_3: Seed) -> Finding:
    found = [agreement(run, "test_jsd", EARLY) for run in (jsd_2, jsd_3)]
    return all(value < 0 for value in found), "jsd_2 {:.2f}, jsd_3 {:.2f}".format(*found)


def _w1_indicates(jsd_2: Seed, jsd_3: Seed, w1_2: Seed, w1_3: Seed) -> Finding:
    jsd = [agreement(run, "test_jsd", EARLY) for run in (jsd_2, jsd_3)]
    w1 = [agreement(run, "test_w1", EARLY) for run in (w1_2, w1_3)]
    held = all(value > max(0.0, other) for value, other in zip(w1, jsd, strict=True))
    return held, "w1_2 {:.2f}, w1_3 {:.2f}; jsd_2 {:.2f}, jsd_3 {:.2f}".format(*w1, *jsd)


def _saturates(*runs: Seed) -> Finding:
    share = saturated(runs[0])
    distances, scores = ([run.scores["final"][key] for run in runs] for key in ("frechet_distance", "inception_score"))
    held = share > 0.8 and distances[0] == max(distances) and scores[0] == min(scores)
    places = sorted(distances).index(distances[0]) + 1, sorted(scores).index(scores[0]) + 1
    return (
        held,
        f"{share:.0%} of the log above {SATURATED}; from below, of 5: distance {places[0]}, IS {places[1]}",
    )


def _scores_agree(*runs: Seed) -> Finding:
    found = correlation([run.scores["final"]["inception_score"] for run in runs], [run.distance for run in runs])
    return found <= -0.9, f"rank correlation {found:.2f} over {len(runs)} runs"


# ------------------------------------------------------------------------------ G: three losses on CUB


def _order(*runs: Seed) -> Finding:
    vanilla, lsgan, wgan = (run.distance for run in runs)
    return vanilla > lsgan > wgan, f"vanilla {three(vanilla)}, LSGAN {three(lsgan)}, WGAN-GP {three(wgan)}"


def _worsens(*runs: Seed) -> Finding:
    gaps = []
    for run in runs:
        course = run.course("frechet_distance")
        gaps.append(course[-1] - min(course))
    best = runs[0].steps[int(np.argmin(runs[0].course("frechet_distance")))]
    text = "last above best: vanilla {}, LSGAN {}, WGAN-GP {}".format(*map(three, gaps))
    return gaps[0] > max(gaps[1:]), f"{text}; vanilla best at generator step {best:,} of {runs[0].steps[-1]:,}"


def _stability(*runs: Seed) -> Finding:
    spreads = [float(np.std(run.course("frechet_distance")[-10:], ddof=1)) for run in runs]
    return spreads[0] > spreads[1] > spreads[2], "vanilla {}, LSGAN {}, WGAN-GP {}".format(*map(three, spreads))


def _even_slopes(wgan_gp: Seed) -> Finding:
    half = len(wgan_gp.curves["slope"]) // 2
    mean, spread = (float(np.mean(wgan_gp.curves[key][half:])) for key in ("slope", "slope_spread"))
    return abs(mean - 1) <= 0.2 and spread <= 0.25, f"mean {mean:.2f}, spread {spread:.2f}"


def _smooth(*runs: Seed) -> Finding:
    uneven = [run.scores["traversal"]["unevenness"] for run in runs]
    text = "largest over mean step: vanilla {:.2f}, LSGAN {:.2f}, WGAN-GP {:.2f}".format(*uneven)
    return uneven[0] > max(uneven[1:]), text


def _mode_collapse(*runs: Seed) -> Finding:
    diversity, recall = ([run.scores["final"][key] for run in runs] for key in ("diversity", "recall"))
    held = diversity[1] == min(diversity) and recall[1] == min(recall) and diversity[1] < 0.8
    text = "diversity {:.2f}, {:.2f}, {:.2f}; recall {:.2f}, {:.2f}, {:.2f}".format(*diversity, *recall)
    return held, f"vanilla, LSGAN, WGAN-GP: {text}"


# ------------------------------------------------------------------------------ I: the MLP on MNIST


def _waves(mlp: Seed) -> Finding:
    names = {"loss_real": "critic, real", "loss_fake": "critic, fake", "loss_generator": "generator"}
    row = mlp.curves["epoch"][1] - mlp.curves["epoch"][0]
    found = {label: wave(mlp.curves[column]) for column, label in names.items()}
    text = "; ".join(
        f"{label}: {height:.2f}" + (f" at a period of {period * row:,.0f} steps" if height else "")
        for label, (period, height) in found.items()
    )
    return sum(height >= 0.3 for _, height in found.values()) >= 2, text


def _favourites(mlp: Seed) -> Finding:
    made, real = mlp.scores["final"]["shares"], mlp.real["shares"]
    if len(real) != 10:
        return None
    liked = (1, 4, 7, 8, 9)
    ours, theirs = sum(made[digit] for digit in liked), sum(real[digit] for digit in liked)
    missing = [digit for digit in range(10) if made[digit] < 0.01]
    words = ", ".join(map(str, missing)) or "none"
    return ours > theirs + 0.1 and bool(
        missing
    ), f"{ours:.0%} of the samples ({theirs:.0%} of real images); below 1 %: {words}"


def _improves(mlp: Seed) -> Finding:
    found = [correlation(mlp.steps, mlp.course(key)) for key in ("frechet_distance", "inception_score")]
    return found[0] <= -TREND and found[1] >= TREND, "rank correlation with steps: distance {:.2f}, IS {:.2f}".format(
        *found
    )


def _between(mlp: Seed) -> Finding:
    path = mlp.scores["interpolations"]["latent"]
    middle, ends = path["entropy"][5], (path["entropy"][0] + path["entropy"][-1]) / 2
    held = path["largest_step"] <= 0.3 and middle > ends
    return (
        held,
        f"largest step {path['largest_step']:.0%} of a path; entropy {middle:.2f} halfway, {ends:.2f} at the ends",
    )


_LP, _DISTANCE, _METRICS = "figures/gan/wgan_lp", "figures/gan/distance.png", "figures/gan/metrics.png"
_MIXED, _GRADIENTS = "figures/gan/interpolations.png", "figures/gan/gradients.png"

CLAIMS = (
    Rule(
        "C10", "000", "Noise before 1,000 steps, digits from 2,000, blurry to 10,000, sharper later.",
        f"the distance falls throughout (rank correlation with steps at most -{TREND}), and sharpness ends nearer to"
        " that of real images than it was after a fifth of the training",
        ("wgan_lp",), _quality, f"{_LP}/progress.png", TRAINED,
    ),
    Rule(
        "C11", "002", "The final samples are diverse, but 5 and 2 are over-represented, and 1, 7, 9 nearly absent.",
        "by the classifier, 5 and 2 are more frequent than in real images, and 1, 7, 9 less than a fifth as frequent",
        ("wgan_lp",), _digits, f"{_LP}/samples.png", TRAINED, data="svhn",
    ),
    Rule(
        "C12", "000", "Shifting one dimension of the code by 10 changes digits or colours.",
        "over half of the labels change at 10, at most a fifth at 1, mean over dimensions",
        ("wgan_lp",), _shift, f"{_LP}/perturbed.png", TRAINED,
    ),
    Rule(
        "C13", "000", "Some dimensions of the code drive colour, others shape.",
        "over dimensions, label changes and colour shift at 10 have a rank correlation below 0.5",
        ("wgan_lp",), _roles, f"{_LP}/perturbed.png", TRAINED,
    ),
    Rule(
        "C14", "002", "Under a very large shift all samples become one digit, which depends on the dimension.",
        "at the largest shift, of at least 50, the median over dimensions of the labels' entropy is under a tenth of"
        " its largest value",
        ("wgan_lp",), _collapse, f"{_LP}/perturbed.png", TRAINED,
    ),
    Rule(
        "C15", "000, 002", "Mixed codes stay images; mixed pixels are ghostly overlays, worst near 0.5.",
        "the distance of mixed pixels peaks at 0.4 to 0.6, and rises from the ends to 0.5 over twice as much as that of"
        " mixed codes",
        ("wgan_lp",), _manifold, _MIXED, TRAINED,
    ),
    Rule(
        "C16", "000", "Mixed pixels are less sharp than mixed codes.",
        "mean sharpness at the weights 0.4 to 0.6 is lower for pixels",
        ("wgan_lp",), _blur, _MIXED, TRAINED,
    ),
    Rule(
        "C17", "000", "Under the LP penalty the critic keeps the 1-Lipschitz bound.",
        "between real and generated images at most 5 % of its gradients are longer than 1.1",
        ("wgan_lp",), _lipschitz, "figures/gan/slopes.png", TRAINED,
    ),
    Rule(
        "C40", "001", "By FID, w1_3 < jsd_3 < jsd_2 < w1_2 < jsd_1.",
        "the last generators' distances are in this order",
        GRID, _ranking, _DISTANCE, TRAINED, data="cifar10",
    ),
    Rule(
        "C41", "001", "W1 gives better results than JSD.",
        "its distance is lower with R1 (w1_3, jsd_3) and with spectral norm (w1_2, jsd_2)",
        GRID[1:], _wasserstein, _DISTANCE, TRAINED, data="cifar10",
    ),
    Rule(
        "C42", "001", "The JSD estimate rises while FID falls.",
        f"their rank correlation is negative in jsd_2 and in jsd_3, after the first {EARLY:.0%} of the training",
        ("jsd_2", "jsd_3"), _jsd_rises, _METRICS, TRAINED,
    ),
    Rule(
        "C43", "001", "The W1 estimate falls and settles, and tells more of the progress than JSD.",
        "its rank correlation with the distance is positive in w1_2 and w1_3, and larger than that of JSD with the same"
        f" regulariser, after the first {EARLY:.0%} of the training",
        GRID[1:], _w1_indicates, _METRICS, TRAINED,
    ),
    Rule(
        "C44", "001", "Without regularisation JSD saturates near log 2; FID is high, IS low.",
        f"over 80 % of the log of jsd_1 is above {SATURATED} nats, and its distance is the highest, its IS the lowest"
        " of the five",
        GRID, _saturates, _METRICS, TRAINED,
    ),
    Rule(
        "C45", "-", "IS and FID rank the five runs alike.", "their rank correlation over the five is at most -0.9",
        GRID, _scores_agree, _DISTANCE, TRAINED,
    ),
    Rule(
        "C60", "003", "By FID, the vanilla GAN is worse than LSGAN, and that worse than WGAN-GP.",
        "the last generators' distances are in this order", CUB, _order, _DISTANCE, TRAINED, data="cub200",
    ),
    Rule(
        "C61", "003", "The vanilla GAN is best before the end and gets worse.",
        "its last stored generator is farther above its best one than those of the others", CUB, _worsens, _DISTANCE,
        TRAINED, 10,
    ),
    Rule(
        "C62", "003", "Training is unstable with the vanilla loss, more stable with LSGAN, most with WGAN-GP.",
        "the standard deviation of the distance over the last ten stored generators falls in this order", CUB,
        _stability, _DISTANCE, TRAINED, 10,
    ),
    Rule(
        "C65", "003", "The gradients of the WGAN-GP critic are consistent.",
        "between real and generated images, over the second half of training, their length is 1 within 0.2, with a"
        " spread of at most 0.25",
        ("wgan_gp",), _even_slopes, "figures/gan/slopes.png", TRAINED,
    ),
    Rule(
        "C66", "003", "The vanilla GAN's traversal jumps; those of LSGAN and WGAN-GP change gradually.",
        "its largest step in feature space, over the mean step, is larger than theirs", CUB, _smooth,
        "figures/gan/vanilla/traversal.png", TRAINED,
    ),
    Rule(
        "C67", "003", "LSGAN shows mode collapse.",
        "diversity and recall are the lowest of the three, and diversity is below 0.8 of that of real images", CUB,
        _mode_collapse, "figures/gan/lsgan/samples.png", TRAINED,
    ),
    Rule(
        "C83", "004", "The losses of the GAN are wavy.",
        "the autocorrelation of at least two of the three losses, less their trends, comes back to 0.3 after it was"
        " negative",
        ("mlp",), _waves, "figures/gan/losses.png", rows=30,
    ),
    Rule(
        "C84", "004", "The GAN prefers 1, 4, 7, 8 and 9 and does not cover all digits.",
        "by the classifier these five make up over 10 points more of the samples than of real images, and a digit has"
        " under 1 %",
        ("mlp",), _favourites, "figures/gan/mlp/samples.png", TRAINED, data="mnist",
    ),
    Rule(
        "C85", "004", "The GAN improves with the epochs.",
        f"over stored generators the distance falls and IS rises (rank correlations with steps of {TREND} and more)",
        ("mlp",), _improves, "figures/gan/mlp/progress.png",
    ),
    Rule(
        "C86", "004", "Interpolations change smoothly; some pictures are between 7 and 9.",
        "the largest of ten steps is at most 30 % of a path in feature space, and the classifier's entropy is higher"
        " halfway than at the ends",
        ("mlp",), _between, _MIXED,
    ),
)  # fmt: skip


def average(runs: Mapping[str, Run]) -> Claim:
    """Judge C46 in every training of report 001's runs that keeps a running average."""
    asked = {name: runs[name] for name in GRID if name in runs and runs[name].ema > 0}
    pairs = {
        (name, seed): (scores.scores["final"]["frechet_distance"], scores.scores["raw"]["frechet_distance"])
        for name, run in asked.items()
        for seed, scores in run.seeds.items()
    }
    return Claim(
        "C46",
        "001 (hand-out)",
        "The generator's running average beats the generator itself.",
        "its distance is lower, in each run of the grid",
        ", ".join(
            f"{name}{f' seed {seed}' if len(asked[name].seeds) > 1 else ''}: {three(mean)} against {three(raw)}"
            for (name, seed), (mean, raw) in pairs.items()
        ),
        [mean < raw for mean, raw in pairs.values()],
        _DISTANCE if pairs else "",
        few("generator steps", (run.steps for run in asked.values()), TRAINED),
        counted=True,
    )


def speed(operations: Mapping[str, int]) -> Claim:
    """Judge C47 by the counted operations of a critic step of `jsd_1` (none), `jsd_2` (spectral norm), `jsd_3` (R1)."""
    known = all(name in operations for name in GRID[:3])
    none, spectral, r1 = (operations.get(name, 0) for name in GRID[:3])
    return Claim(
        "C47",
        "001 (hand-out)",
        "A step with R1 takes longer than one with spectral norm, and that longer than one with neither.",
        "counted multiplications and additions of a critic step are in this order (for seconds: `benchmarks.gan_step`)",
        f"of the step with neither: spectral norm {spectral / none:.4f}, R1 {r1 / none:.2f} times" if known else "",
        [none < spectral < r1] if known else [],
        counted=True,
    )


def gradients() -> list[Claim]:
    """Judge C63 and C64, which are about formulas, by automatic differentiation of the losses."""
    outputs = torch.tensor([-6.0, 3.0, 6.0], requires_grad=True)  # a fake that the critic rejects, two that it accepts
    size = {}
    for name in ("jsd", "ns", "lsgan", "w1"):
        (slope,) = torch.autograd.grad(generator_loss(name, outputs) * len(outputs), outputs)
        size[name] = slope.abs().tolist()
    rejected = ", ".join(f"{name} {values[0]:.2g}" for name, values in size.items())
    return [
        Claim(
            "C63",
            "003",
            "With the sigmoid cross-entropy the generator's gradient vanishes on fakes that the critic surely rejects;"
            " with least squares and W1 it does not.",
            "at the output -6, |d loss / d output| is below 0.05 for the non-saturating loss, which every copy of the"
            " report's code trains, and at least 0.5 for lsgan and w1",
            f"{rejected}: only the saturating form (jsd) vanishes there; ns does on accepted fakes ({size['ns'][2]:.2g}"
            " at 6)",
            [size["ns"][0] < 0.05 and min(size["lsgan"][0], size["w1"][0]) >= 0.5],
            _GRADIENTS,
            counted=True,
        ),
        Claim(
            "C64",
            "003",
            "Least squares give a gradient even for fakes that the critic takes for real.",
            "at the outputs 3 and 6 it is at least 1 for lsgan and below 0.05 for the non-saturating loss",
            "at 3 and 6: lsgan {:.2g}, {:.2g}; ns {:.2g}, {:.2g}".format(*size["lsgan"][1:], *size["ns"][1:]),
            [min(size["lsgan"][1:]) >= 1 and max(size["ns"][1:]) < 0.05],
            _GRADIENTS,
            counted=True,
        ),
    ]

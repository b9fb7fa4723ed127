"""Claims C20 to C24: SimSiam and its ablations, judged seed by seed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.report.claims import Claim, each

Score = Mapping[str, Any]
"""What `metrics.json` has of one seed."""

Scores = Mapping[str, Score]
"""The same by seed."""

COLLAPSED_LOSS, COLLAPSED_STD, COLLAPSED_RANK = -0.9, 0.35, 1.5
LEARNED = 10.0  # points of kNN accuracy above the untrained network
WORSE = 5.0  # points below the default: over three standard errors of a difference between two sets of 2,000 answers
HIGH = -0.5  # of a loss: report 002 names -0.31, and -0.75 for a healthy run
SPIKE = 0.4  # share of the epochs in which the best one lies: 40 of the reports' 100
SPIKED = 5.0  # points of the best epoch above the last
EARLY = 0.2  # share of the epochs after which C24 looks at loss and accuracy: 20 of the reports' 100


def verdict(score: Score) -> str:
    """Judge one seed by rule: `collapsed`, `healthy` or `not learning`.

    Collapsed: the loss is at most -0.9, and the features hardly differ or lie along one direction. A small deviation
    alone would not do, an untrained network has one too; a large one does not clear it, two opposite points have it.
    Healthy: the features are not so, and nearest neighbours classify at least ten points better than with the untrained
    network. Accuracy alone would not do: it rises by as much in collapsed runs, whose differences are small but not 0.
    """
    flat = score["feature_std"] <= COLLAPSED_STD or score["effective_rank"] <= COLLAPSED_RANK
    if score["loss"]["last"] <= COLLAPSED_LOSS and flat:
        return "collapsed"
    better = score["knn"]["last"] - score["untrained"]["knn"] >= LEARNED
    return "healthy" if better and not flat else "not learning"


def later(curve: np.ndarray) -> float:
    """Return the share of a curve's whole change that comes after the first `EARLY` of its epochs."""
    whole = curve[-1] - curve[0]
    return float((curve[-1] - curve[early(len(curve)) - 1]) / whole) if whole else 0.0


def early(epochs: int) -> int:
    """Return how many epochs are the first `EARLY` of all."""
    return max(1, round(EARLY * epochs))


def claims(
    seeds: Mapping[str, Scores],
    late: Mapping[str, tuple[float, float]],
    figures: Mapping[str, str],
    limits: Mapping[str, str],
    epochs: int,
) -> list[Claim]:
    """Test claims C20 to C24.

    Args:
        seeds: the scores of each variant, by seed; a variant that is not there has none.
        late: for each seed of the default, the shares of the loss's fall and of the accuracy's rise that come after
            the first `EARLY` of the epochs.
        figures: path of the curves of each variant that has run.
        limits: of the claims that cannot be judged, why.
        epochs: of the training without predictor.
    """
    default = seeds["default"]
    spikes = [score["knn"] for score in seeds["no_predictor"].values()]
    below = (
        f"collapsed by the SimSiam chapter's rule, and kNN at least {WORSE:g} points below the same seed's default; not"
        " that it falls to chance: the small differences that are left tell some classes apart"
    )
    return [
        Claim(
            "C20",
            "000, 002",
            "With stop-gradient the loss falls slowly and kNN accuracy rises from 25 to 60 % in about 100 epochs.",
            "healthy by the SimSiam chapter's rule, and the loss falls; on CIFAR-10 58 to 62 % after 102 epochs",
            _found(default),
            [verdict(s) == "healthy" and s["loss"]["last"] < s["loss"]["first"] for s in default.values()],
            figures.get("default", ""),
            limits.get("C20", ""),
        ),
        Claim(
            "C21",
            "000, 002",
            "Without stop-gradient the loss goes to -1 and kNN accuracy to about chance: collapse.",
            below,
            _found(seeds["no_stop_gradient"]),
            _collapses(seeds["no_stop_gradient"], default),
            figures.get("no_stop_gradient", ""),
        ),
        Claim(
            "C22",
            "000, 002",
            "Without predictor it collapses likewise.",
            below,
            _found(seeds["no_predictor"]),
            _collapses(seeds["no_predictor"], default),
            figures.get("no_predictor", ""),
        ),
        Claim(
            "C22b",
            "000",
            "Without predictor the accuracy has early spikes.",
            f"its best epoch is in the first {SPIKE:.0%} of the training and at least {SPIKED:g} points above the last",
            "; ".join(
                f"best {knn['best']:.1f} % in epoch {knn['best_epoch']} of {epochs}, last {knn['last']:.1f} %"
                for knn in spikes
            ),
            [knn["best_epoch"] <= SPIKE * epochs and knn["best"] - knn["last"] >= SPIKED for knn in spikes],
            figures.get("no_predictor", ""),
        ),
        Claim(
            "C23",
            "002",
            "With a fixed random predictor it neither learns nor collapses; the loss stays high.",
            "not learning by the SimSiam chapter's rule, for which features may be as flat as an untrained network's,"
            f" and the loss above {HIGH}",
            _found(seeds["fixed_predictor"]),
            [
                verdict(score) == "not learning" and score["loss"]["last"] > HIGH
                for score in seeds["fixed_predictor"].values()
            ],
            figures.get("fixed_predictor", ""),
        ),
        Claim(
            "C24",
            "000",
            "The loss changes little after epoch 20 while the accuracy keeps growing.",
            "of the whole change, the accuracy has at least twice the loss's share after the first fifth of the epochs",
            "; ".join(f"then {loss:.0%} of the loss's fall, {knn:.0%} of kNN's rise" for loss, knn in late.values()),
            [knn >= 2 * loss for loss, knn in late.values()],
            figures.get("default", ""),
            limits.get("C24", ""),
        ),
    ]


def _collapses(scores: Scores, default: Scores) -> list[bool]:
    pairs = [(score, default[seed]) for seed, score in scores.items() if seed in default]
    return [
        verdict(score) == "collapsed" and whole["knn"]["last"] - score["knn"]["last"] >= WORSE for score, whole in pairs
    ]


def _found(scores: Scores) -> str:
    """Say what was measured; a slash stands between seeds."""
    if not scores:
        return ""

    def of(number: Callable[[Score], float], digits: int = 2) -> str:
        return each(map(number, scores.values()), digits)

    return (
        f"loss {of(lambda s: s['loss']['first'])} → {of(lambda s: s['loss']['last'])},"
        f" kNN {of(lambda s: s['knn']['first'], 1)} → {of(lambda s: s['knn']['last'], 1)} %"
        f" (untrained {of(lambda s: s['untrained']['knn'], 1)}),"
        f" deviation {of(lambda s: s['feature_std'])}, rank {of(lambda s: s['effective_rank'])}"
    )

"""Rules of claims C20 to C24: SimSiam and its ablations."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.claims import Finding, finding

Score = Mapping[str, Any]
"""What `metrics.json` has of one seed."""

COLLAPSED_LOSS, COLLAPSED_STD, COLLAPSED_RANK = -0.9, 0.35, 1.5
LEARNED = 10.0  # points of kNN accuracy above the untrained network
WORSE = 5.0  # points below the default: over three standard errors of a difference between two sets of 2,000 answers
HIGH = -0.5  # of a loss: report 002 names -0.31, and -0.75 for a healthy run
SPIKE = 0.4  # share of the epochs in which the best one lies: 40 of the reports' 100
SPIKED = 5.0  # points of the best epoch above the last
EARLY = 0.2  # share of the epochs after which C24 looks at loss and accuracy: 20 of the reports' 100


def verdict(score: Score) -> str:
    """Return what became of one training: `collapsed`, `healthy` or `not learning`.

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


def early(epochs: int) -> int:
    """Return how many epochs are the first `EARLY` of all."""
    return max(1, round(EARLY * epochs))


def learns(score: Score) -> Finding:
    """Test C20."""
    return finding(verdict(score) == "healthy" and score["loss"]["last"] < score["loss"]["first"])


def collapses(score: Score, default: Score) -> Finding:
    """Test C21 and C22 beside the default's score of the same seed."""
    return finding(verdict(score) == "collapsed" and default["knn"]["last"] - score["knn"]["last"] >= WORSE)


def spikes(score: Score, epochs: int) -> Finding:
    """Test C22b on a training of so many epochs."""
    knn = score["knn"]
    return finding(knn["best_epoch"] <= SPIKE * epochs and knn["best"] - knn["last"] >= SPIKED)


def idle(score: Score) -> Finding:
    """Test C23."""
    return finding(verdict(score) == "not learning" and score["loss"]["last"] > HIGH)


def late(loss: Sequence[float], knn: Sequence[float]) -> Finding:
    """Test C24 on the curves of loss and accuracy: the share of their change after the first `EARLY` of the epochs."""
    shares = [
        (curve[-1] - curve[early(len(curve)) - 1]) / (curve[-1] - curve[0]) if curve[-1] != curve[0] else 0.0
        for curve in (loss, knn)
    ]
    return finding(shares[1] >= 2 * shares[0], loss=shares[0], knn=shares[1])

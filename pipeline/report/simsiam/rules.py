"""Rules of claims C20 to C24: SimSiam and its ablations."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.claims import Finding, finding, lacking

Score = Mapping[str, Any]
"""What `metrics.json` has of one seed."""

COLLAPSED_LOSS, COLLAPSED_STD, COLLAPSED_RANK = -0.9, 0.35, 1.5  # healthy runs keep above -0.85, 0.9 and 3
LEARNED = 10.0  # points of kNN accuracy above the untrained network: collapsed runs gain up to nine
BEGUN = 5.0  # points above it that are no chance: three standard errors of a difference of two sets of 2,000 answers
WORSE = 10.0  # points below the default, as stated before the first run; for a while it was five
CHANCE = 5.0  # points that an accuracy about that of chance may be above it
HIGH = -0.5  # of a loss: report 002 names -0.31, and -0.75 for a healthy run
SPIKE = 0.4  # share of the epochs in which the best one lies: 40 of the reports' 100
SPIKED = 5.0  # points of the best epoch above the last, see `BEGUN`
EARLY = 0.2  # share of the epochs after which C24 looks at loss and accuracy: 20 of the reports' 100
EPOCHS, LOWEST, HIGHEST = 102, 58.0, 62.0  # of the reports, and the accuracy of three copies of their code, rounded out


def verdict(score: Score) -> str:
    """Return what became of one training: `collapsed`, `healthy`, `undertrained` or `not learning`.

    Collapsed: the loss is at most -0.9, and the features hardly differ or lie along one direction. A small deviation
    alone would not do, an untrained network has one too; a large one does not clear it, two opposite points have it.
    Healthy: the features are not so, and nearest neighbours classify at least ten points better than with the untrained
    network. Accuracy alone would not do: it rises by as much in collapsed runs, whose differences are small but not 0.
    Undertrained: neither, and the features are not so, but it has begun to learn: nearest neighbours classify at least
    five points better, or better after the last epoch than ever before.
    """
    flat = score["feature_std"] <= COLLAPSED_STD or score["effective_rank"] <= COLLAPSED_RANK
    if score["loss"]["last"] <= COLLAPSED_LOSS and flat:
        return "collapsed"
    knn = score["knn"]
    better, rising = knn["last"] - score["untrained"]["knn"], knn["last"] >= knn["best"]
    if flat or not (better >= BEGUN or rising):
        return "not learning"
    return "healthy" if better >= LEARNED else "undertrained"


def early(epochs: int) -> int:
    """Return how many epochs are the first `EARLY` of all."""
    return max(1, round(EARLY * epochs))


def learns(score: Score, own: bool) -> Finding:
    """Test C20; the accuracy that the reports name is a part where the run is theirs (`own`)."""
    kind, knn = verdict(score), score["knn"]["last"]
    if kind == "undertrained":
        return lacking(f"the training is too short: kNN {knn:.1f} %, untrained {score['untrained']['knn']:.1f} %")
    named = [(knn - LOWEST, HIGHEST - knn)] if own else []
    return finding((kind == "healthy", score["loss"]["first"] - score["loss"]["last"]), *named, kind=kind)


def collapses(score: Score, default: Score, chance: float) -> Finding:
    """Test C21 and C22 beside the default's score of the same seed; the parts are the collapse and the accuracy."""
    knn = score["knn"]["last"]
    return finding(
        (verdict(score) == "collapsed", default["knn"]["last"] - knn - WORSE),
        chance + CHANCE - knn,
        kind=verdict(score),
    )


def spikes(score: Score, epochs: int) -> Finding:
    """Test C22b on a training of so many epochs."""
    knn = score["knn"]
    return finding((knn["best_epoch"] <= SPIKE * epochs, knn["best"] - knn["last"] - SPIKED))


def idle(score: Score) -> Finding:
    """Test C23; the parts are that it does not learn, and the loss."""
    return finding(verdict(score) == "not learning", score["loss"]["last"] - HIGH, kind=verdict(score))


def late(loss: Sequence[float], knn: Sequence[float]) -> Finding:
    """Test C24 on the curves of loss and accuracy: the share of their change after the first `EARLY` of the epochs."""
    shares = [
        (curve[-1] - curve[early(len(curve)) - 1]) / (curve[-1] - curve[0]) if curve[-1] != curve[0] else 0.0
        for curve in (loss, knn)
    ]
    return finding(shares[1] - 2 * shares[0], loss=shares[0], knn=shares[1])

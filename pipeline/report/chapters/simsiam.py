"""SimSiam and its ablations: curves, collapse measures, nearest neighbours, linear probe, claims C20 to C24."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from pipeline.report import figures, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

Score = Mapping[str, Any]  # of one seed, as `metrics.json` has it
Scores = Mapping[str, Score]  # by seed

COLLAPSED_LOSS, COLLAPSED_STD, COLLAPSED_RANK = -0.9, 0.35, 1.5
LEARNED = 10.0  # points of kNN accuracy above the untrained network
WORSE = 5.0  # points below the default: over three standard errors of a difference between two sets of 2,000 answers
EARLY = 0.2  # share of the epochs after which C24 looks at loss and accuracy: 20 of the reports' 100


@dataclass(frozen=True)
class Variant:
    """One of the four trainings that the reports compare; `rows` are the reported numbers of it."""

    title: str
    figure: str
    rows: tuple[str, ...]


VARIANTS = {
    "default": Variant("SimSiam", "F11 (figure of report 000). ", ("000-simsiam-loss", "000-simsiam-knn")),
    "no_stop_gradient": Variant(
        "SimSiam without stop-gradient",
        "F12 (figure of report 000). ",
        ("000-simsiam-no-stop-gradient-loss", "000-simsiam-no-stop-gradient-knn", "002-simsiam-collapse-loss"),
    ),
    "no_predictor": Variant(
        "SimSiam without predictor",
        "F13 (figure of report 000). ",
        ("000-simsiam-no-predictor-loss", "000-simsiam-no-predictor-knn", "002-simsiam-collapse-loss"),
    ),
    "fixed_predictor": Variant("SimSiam with a fixed random predictor", "", ()),
}
PANELS = {
    "loss": "loss",
    "knn": "kNN accuracy (%)",
    "feature_std": r"deviation × $\sqrt{d}$",
    "effective_rank": "effective rank",
}
SCALE, COLUMNS = 2, 4  # of the sheet of views


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family."""
    trained, scored = results.steps("train_simsiam"), results.steps("score_simsiam")
    metrics = {step.run: results.metrics(step) for step in scored}
    kinds = {step.run: variant(results.settings(step)) for step in scored}
    seeds = {name: metrics[name]["seeds"] if kinds.get(name) == name else {} for name in VARIANTS}
    values = {
        "settings": {step.run: _settings(step) for step in trained},
        "curves": [_curves(results, step, out) for step in trained],
        "variants": _variants(results, trained, metrics, out) if trained else None,
        "rows": [
            {"run": run, **scores, "verdict": _verdicts(scores["seeds"]), "reports": _reports(reported, kinds[run])}
            for run, scores in metrics.items()
        ],
        "protocols": list(dict.fromkeys((m["protocol"]["knn"], m["protocol"]["probe"]) for m in metrics.values())),
        "rule": {"loss": COLLAPSED_LOSS, "std": COLLAPSED_STD, "rank": COLLAPSED_RANK, "learned": LEARNED},
        "claims": claims(seeds, _later(results, "default") if seeds["default"] else {}),
        "views": _views(results, scored[0], out) if scored else None,
    }
    headlines: dict[str, float] = {}
    for run, scores in metrics.items():
        mean = scores["mean"]
        headlines |= {f"simsiam.{run}.{key}": mean[key]["last"] for key in ("loss", "knn")}
        headlines |= {f"simsiam.{run}.{key}": mean[key] for key in ("probe", "feature_std", "effective_rank")}
    return Content(values, headlines)


def variant(settings: Mapping[str, Any]) -> str:
    """Return which of the four variants the settings of a training are."""
    if not settings["stop_gradient"]:
        return "no_stop_gradient"
    kinds = {"mlp": "default", "identity": "no_predictor", "fixed": "fixed_predictor"}
    return kinds[settings["network"]["predictor"]]


def verdict(score: Score) -> str:
    """Judge one seed by rule: `collapsed`, `healthy` or `not learning`.

    Collapsed: the loss is at most -0.9, and the features hardly differ or lie along one direction. A small deviation
    alone would not do, an untrained network has one too; a large one does not clear it, two opposite points have it.
    Healthy: nearest neighbours classify at least ten points better than with the untrained network.
    """
    flat = score["feature_std"] <= COLLAPSED_STD or score["effective_rank"] <= COLLAPSED_RANK
    if score["loss"]["last"] <= COLLAPSED_LOSS and flat:
        return "collapsed"
    return "healthy" if score["knn"]["last"] - score["untrained"]["knn"] >= LEARNED else "not learning"


def claims(seeds: Mapping[str, Scores], later: Mapping[str, tuple[float, float]]) -> list[Claim]:
    """Test claims C20 to C24.

    Args:
        seeds: the scores of each variant, by seed; a variant that is not there has none.
        later: for each seed of the default, the shares of the loss's fall and of the accuracy's rise that come after
            the first `EARLY` of the epochs.
    """
    default, spikes = seeds["default"], seeds["no_predictor"].values()
    below = f"collapsed by the rule above, and kNN at least {WORSE:g} points below that of the same seed's default"
    first = f"; best epoch {_each((score['knn']['best_epoch'] for score in spikes), 0)}" if spikes else ""
    return [
        Claim(
            "C20",
            "000, 002",
            "With stop-gradient the loss falls slowly and kNN accuracy rises from 25 to 60 % in about 100 epochs.",
            "healthy by the rule above, and the loss falls; on CIFAR-10 58 to 62 % are expected after 102 epochs",
            _found(default),
            [verdict(s) == "healthy" and s["loss"]["last"] < s["loss"]["first"] for s in default.values()],
        ),
        Claim(
            "C21",
            "000, 002",
            "Without stop-gradient the loss goes to -1 and kNN accuracy to about chance: collapse.",
            below,
            _found(seeds["no_stop_gradient"]),
            _collapses(seeds["no_stop_gradient"], default),
        ),
        Claim(
            "C22",
            "000, 002",
            "Without predictor it collapses likewise, with early spikes of the accuracy.",
            below,
            _found(seeds["no_predictor"]) + first,
            _collapses(seeds["no_predictor"], default),
        ),
        Claim(
            "C23",
            "002",
            "With a fixed random predictor it neither learns nor collapses; the loss stays high.",
            "not learning by the rule above",
            _found(seeds["fixed_predictor"]),
            [verdict(score) == "not learning" for score in seeds["fixed_predictor"].values()],
        ),
        Claim(
            "C24",
            "000",
            "The loss changes little after epoch 20 while the accuracy keeps growing.",
            "of the whole change, the accuracy has at least twice the loss's share after the first fifth of the epochs",
            "; ".join(f"then {loss:.0%} of the loss's fall, {knn:.0%} of kNN's rise" for loss, knn in later.values()),
            [knn >= 2 * loss for loss, knn in later.values()],
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
        return _each(map(number, scores.values()), digits)

    return (
        f"loss {of(lambda s: s['loss']['first'])} → {of(lambda s: s['loss']['last'])},"
        f" kNN {of(lambda s: s['knn']['first'], 1)} → {of(lambda s: s['knn']['last'], 1)} %"
        f" (untrained {of(lambda s: s['untrained']['knn'], 1)}),"
        f" deviation {of(lambda s: s['feature_std'])}, rank {of(lambda s: s['effective_rank'])}"
    )


def _each(values: Iterable[float], digits: int) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in values)


def _later(results: Results, run: str) -> dict[str, tuple[float, float]]:
    """Return per seed the shares of the loss's fall and of the accuracy's rise after the first epochs."""
    step = results.finished["train_simsiam", run]
    loss, knn = (results.curve(step, column) for column in ("loss", "knn"))
    return {str(seed): (_share(loss[seed].to_numpy()), _share(knn[seed].to_numpy())) for seed in loss}


def _share(curve: np.ndarray) -> float:
    whole = curve[-1] - curve[0]
    return float((curve[-1] - curve[max(1, round(EARLY * len(curve))) - 1]) / whole) if whole else 0.0


def _verdicts(scores: Scores) -> str:
    words = [verdict(score) for score in scores.values()]
    return ", ".join(
        f"{word} ({words.count(word)} of {len(words)} seeds)" if len(words) > 1 else word
        for word in dict.fromkeys(words)
    )


def _reports(reported: Reported, kind: str) -> str:
    """Return the numbers that the reports state of a variant, in their words."""
    rows = [reported.row(name) for name in VARIANTS[kind].rows]
    return "; ".join(
        f"{row.report}: {row.quantity} {' to '.join(map(str, row.value)) if isinstance(row.value, list) else row.value}"
        f"{' ' * bool(row.unit)}{row.unit}"
        for row in rows
    )


def _settings(step: Plan) -> dict[str, Any]:
    flat = {key: value for key, value in step.settings.items() if key not in ("network", "augmentation")}
    return {"data": Path(step.inputs["data"]).name, **step.settings["network"], **step.settings["augmentation"], **flat}


def _about(steps: Sequence[Plan]) -> str:
    sets = ", ".join(dict.fromkeys(Path(step.inputs["data"]).name for step in steps))
    seeds = sorted({seed for step in steps for seed in step.settings["seeds"]})
    several = "; line and band: their mean and range" if len(seeds) > 1 else ""
    knn = steps[0].settings
    return (
        f"Data {sets}; seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}{several}. kNN on the test split,"
        f" {knn['knn_neighbours']} neighbours, features of the {knn['knn_features']}."
    )


def _curves(results: Results, step: Plan, out: Path) -> Picture:
    """Draw loss and kNN accuracy of one run (F11 to F13)."""
    kind = VARIANTS[variant(step.settings)]
    path = f"figures/simsiam/{step.run}/curves.png"
    with style.panels(out / path, 1, 2, 6.4, 2.6) as axes:
        for place, column in zip(axes.flat, ("loss", "knn"), strict=True):
            figures.plot(place, [Curve(step.run, results.curve(step, column), style.line(0))], PANELS[column])
    caption = f"{kind.figure}{kind.title}, run {step.run}: training loss and kNN accuracy. {_about([step])}"
    return Picture(path, f"curves of {step.run}", caption)


def _variants(results: Results, steps: Sequence[Plan], metrics: Mapping[str, Any], out: Path) -> Picture:
    """Draw loss, kNN accuracy and collapse measures of all runs in one figure (F14)."""
    path = "figures/simsiam/variants.png"
    with style.panels(out / path, 2, 2, 6.4, 5.2) as axes:
        for letter, place, (column, label) in zip("abcd", axes.flat, PANELS.items(), strict=True):
            lines = [Curve(step.run, results.curve(step, column), style.line(n)) for n, step in enumerate(steps)]
            figures.plot(place, lines, label)
            place.set_title(f"({letter})", loc="left")
            if metrics and column != "loss":
                start = np.mean([scores["mean"]["untrained"][column] for scores in metrics.values()])
                place.axhline(float(start), color=style.REPORTED, linewidth=0.8, linestyle=":")
        axes[1, 1].set_yscale("log")
        axes[1, 1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[1, 1].yaxis.set_major_formatter(ScalarFormatter())
        axes[1, 1].yaxis.set_minor_formatter(NullFormatter())
        axes[0, 0].legend(fontsize=7)
    caption = (
        "F14 (figure 8 of report 002). (a) Training loss, (b) kNN accuracy, (c) deviation of the L2-normalised features"
        " per channel times the square root of their dimensions (1: spread over the sphere, 0: one point), (d) their"
        f" effective rank. Dotted: untrained networks. {_about(steps)}"
    )
    return Picture(path, "F14", caption)


def _views(results: Results, step: Plan, out: Path) -> Picture:
    """Draw training images with two views of each."""
    path = "figures/simsiam/views.png"
    originals = figures.grey(np.asarray(results.array(step, "originals")), 256)
    views = figures.grey(np.asarray(results.array(step, "views")), 256)
    count, columns = figures.whole_rows(len(originals), COLUMNS)
    rows = np.concatenate([originals[:, None], views], 1)[:count]
    figures.sheet(out / path, rows.reshape(-1, *rows.shape[2:]), 3 * columns, SCALE)
    caption = (
        f"Training images of {Path(step.inputs['data']).name}, each followed by two random views as the networks"
        f" see them in the training of run {step.run}, before the channels are shifted and scaled."
    )
    return Picture(path, "views", caption)


CHAPTER = Chapter(
    "simsiam.md.j2",
    {"train_simsiam": ("history.csv",), "score_simsiam": ("metrics.json", "originals.npy", "views.npy")},
    ("C",),
    write,
)

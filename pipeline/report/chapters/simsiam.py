"""SimSiam and its ablations: curves, collapse measures, nearest neighbours, linear probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import figures, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import short
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import simsiam as rules
from pipeline.report.verdicts.simsiam import Scores
from pipeline.runtime.plan import Plan


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
DATA, EPOCHS = "cifar10", 102  # of report 000
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
        "rule": {
            "loss": rules.COLLAPSED_LOSS,
            "std": rules.COLLAPSED_STD,
            "rank": rules.COLLAPSED_RANK,
            "learned": rules.LEARNED,
        },
        "views": _views(results, scored[0], out) if scored else None,
    }
    headlines: dict[str, float] = {}
    for run, scores in metrics.items():
        mean = scores["mean"]
        headlines |= {f"simsiam.{run}.{key}": mean[key]["last"] for key in ("loss", "knn")}
        headlines |= {f"simsiam.{run}.{key}": mean[key] for key in ("probe", "feature_std", "effective_rank")}
    late, limits = (_later(results, "default"), _limits(results, "default")) if seeds["default"] else ({}, {})
    epochs = results.finished["train_simsiam", "no_predictor"].settings["epochs"] if seeds["no_predictor"] else 0
    return Content(values, headlines, rules.claims(seeds, late, _shown(seeds), limits, epochs))


def variant(settings: Mapping[str, Any]) -> str:
    """Return which of the four variants the settings of a training are."""
    if not settings["stop_gradient"]:
        return "no_stop_gradient"
    kinds = {"mlp": "default", "identity": "no_predictor", "fixed": "fixed_predictor"}
    return kinds[settings["network"]["predictor"]]


def _later(results: Results, run: str) -> dict[str, tuple[float, float]]:
    """Return per seed the shares of the loss's fall and of the accuracy's rise after the first epochs."""
    step = results.finished["train_simsiam", run]
    loss, knn = (results.curve(step, column) for column in ("loss", "knn"))
    return {str(s): (rules.later(loss[s].to_numpy()), rules.later(knn[s].to_numpy())) for s in loss}


def _limits(results: Results, run: str) -> dict[str, str]:
    """Return which claims about the course of a training a run is too short for, and why."""
    step = results.finished["train_simsiam", run]
    epochs = step.settings["epochs"]
    # on other data the rules ask for less than the reports saw
    limit = short(epochs, EPOCHS, "epochs") if Path(step.inputs["data"]).name == DATA else ""
    point = f"the first {rules.EARLY:.0%} of its {epochs} epochs are one point" if rules.early(epochs) == 1 else ""
    return {"C20": limit, "C24": limit or point}


def _shown(seeds: Mapping[str, Scores]) -> dict[str, str]:
    """Return the path of the curves of each variant that has run."""
    return {name: f"figures/simsiam/{name}/curves.png" for name, scores in seeds.items() if scores}


def _verdicts(scores: Scores) -> str:
    words = [rules.verdict(score) for score in scores.values()]
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
        style.logarithmic(axes[1, 1])
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

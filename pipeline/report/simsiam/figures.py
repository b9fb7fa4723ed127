"""Charts of SimSiam and its ablations, and views of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import figures, style
from pipeline.report.figures import Curve, Picture
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

SCALE, COLUMNS = 2, 4  # of the sheet of views


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


def variant(settings: Mapping[str, Any]) -> str:
    """Return which of the four variants the settings of a training are."""
    if not settings["stop_gradient"]:
        return "no_stop_gradient"
    kinds = {"mlp": "default", "identity": "no_predictor", "fixed": "fixed_predictor"}
    return kinds[settings["predictor"]]


def _about(plans: Sequence[Plan]) -> str:
    sets = ", ".join(dict.fromkeys(Path(plan.inputs["data"]).name for plan in plans))
    seeds = sorted({seed for plan in plans for seed in plan.settings["seeds"]})
    several = "; line and band: their mean and range" if len(seeds) > 1 else ""
    knn = plans[0].settings
    return (
        f"Data {sets}; seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}{several}. kNN on the test split,"
        f" {knn['knn_neighbours']} neighbours, features of the {knn['knn_features']}."
    )


def curves(results: Results, plan: Plan, out: Path) -> Picture:
    """Plot loss and kNN accuracy of one run (F11 to F13)."""
    kind = VARIANTS[variant(plan.settings)]
    path = f"figures/simsiam/{plan.run}/curves.png"
    with style.panels(out / path, 2, 2, 3.2, 2.6) as axes:
        for place, column in zip(axes, ("loss", "knn"), strict=True):
            figures.plot(place, [Curve(plan.run, results.curve(plan, column), style.line(0))], PANELS[column])
    caption = f"{kind.figure}{kind.title}, run {plan.run}: training loss and kNN accuracy. {_about([plan])}"
    return Picture(path, f"curves of {plan.run}", caption)


def variants(results: Results, plans: Sequence[Plan], metrics: Mapping[str, Any], out: Path) -> Picture:
    """Plot loss, kNN accuracy and collapse measures of all runs in one figure (F14)."""
    path = "figures/simsiam/variants.png"
    with style.panels(out / path, 4, 2, 3.2, 2.6) as axes:
        for letter, place, (column, label) in zip("abcd", axes, PANELS.items(), strict=True):
            lines = [Curve(plan.run, results.curve(plan, column), style.line(n)) for n, plan in enumerate(plans)]
            figures.plot(place, lines, label)
            place.set_title(f"({letter})", loc="left")
            if metrics and column != "loss":
                start = np.mean([scores["mean"]["untrained"][column] for scores in metrics.values()])
                place.axhline(float(start), color=style.REPORTED, linewidth=0.8, linestyle=":")
        style.logarithmic(axes[3])
        axes[0].legend(fontsize=7)
    caption = (
        "F14 (figure 8 of report 002). (a) Training loss, (b) kNN accuracy, (c) deviation of the L2-normalised features"
        " per channel times the square root of their dimensions (1: spread over the sphere, 0: one point), (d) their"
        f" effective rank. Dotted: untrained networks. {_about(plans)}"
    )
    return Picture(path, "F14", caption)


def views(results: Results, plan: Plan, out: Path) -> Picture:
    """Show training images with two views of each."""
    path = "figures/simsiam/views.png"
    originals = figures.grey(np.asarray(results.array(plan, "originals")), 256)
    views = figures.grey(np.asarray(results.array(plan, "views")), 256)
    count, columns = figures.whole_rows(len(originals), COLUMNS)
    rows = np.concatenate([originals[:, None], views], 1)[:count]
    figures.sheet(out / path, rows.reshape(-1, *rows.shape[2:]), 3 * columns, SCALE)
    caption = (
        f"Training images of {Path(plan.inputs['data']).name}, each followed by two random views as the networks"
        f" see them in the training of run {plan.run}, before the channels are shifted and scaled."
    )
    return Picture(path, "views", caption)

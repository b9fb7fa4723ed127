"""Charts of SimSiam and its ablations, and views of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import figures, style
from pipeline.report.figures import Curve
from pipeline.report.results import Results, about, data
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


def curves(results: Results, plan: Plan, out: Path) -> dict[str, str]:
    """Plot loss and kNN accuracy of one run (F11 to F13); say what is shown."""
    kind = VARIANTS[variant(plan.settings)]
    with style.panels(out / f"figures/simsiam/{plan.run}/curves.png", 2, 2, 3.2, 2.6) as axes:
        for place, column in zip(axes, ("loss", "knn"), strict=True):
            figures.plot(place, [Curve(plan.run, results.curve(plan, column), style.line(0))], PANELS[column])
    return {"run": plan.run, "title": f"{kind.figure}{kind.title}", "about": about([plan])}


def variants(results: Results, plans: Sequence[Plan], metrics: Mapping[str, Any], out: Path) -> str:
    """Plot loss, kNN accuracy and collapse measures of all runs in one figure (F14); say what is shown."""
    with style.panels(out / "figures/simsiam/variants.png", 4, 2, 3.2, 2.6) as axes:
        for letter, place, (column, label) in zip("abcd", axes, PANELS.items(), strict=True):
            lines = [Curve(plan.run, results.curve(plan, column), style.line(n)) for n, plan in enumerate(plans)]
            figures.plot(place, lines, label)
            place.set_title(f"({letter})", loc="left")
            if metrics and column != "loss":
                start = np.mean([scores["mean"]["untrained"][column] for scores in metrics.values()])
                place.axhline(float(start), color=style.REPORTED, linewidth=0.8, linestyle=":")
        style.logarithmic(axes[3])
        axes[0].legend(fontsize=7)
    return about(plans)


def views(results: Results, plan: Plan, out: Path) -> dict[str, str]:
    """Show training images with two views of each; say whose."""
    originals, views = (figures.grey(np.asarray(results.array(plan, name)), 256) for name in ("originals", "views"))
    count, columns = figures.whole_rows(len(originals), COLUMNS)
    rows = np.concatenate([originals[:, None], views], 1)[:count]
    figures.sheet(out / "figures/simsiam/views.png", rows.reshape(-1, *rows.shape[2:]), 3 * columns, SCALE)
    return {"run": plan.run, "data": data(plan)}

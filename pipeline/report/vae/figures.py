"""Charts of the Bernoulli autoencoders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report import figures, style
from pipeline.report.autoencoders import NATS, about, line, lines
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan


def negative(results: Results, plans: Sequence[Plan], out: Path) -> Picture:
    """Plot the validation -ELBO (F01)."""
    path = "figures/vae/negative_elbo.png"
    figures.curves(out / path, lines(results, plans, "valid_elbo", -1), f"validation -ELBO ({NATS})")
    caption = f"F01 (figure of report 000). -ELBO on the validation split after each epoch, in {NATS}. {about(plans)}"
    return Picture(path, "F01", caption)


def positive(results: Results, plans: Sequence[Plan], out: Path) -> Picture:
    """Plot the ELBO on the validation split and on training batches (F03)."""
    path = "figures/vae/elbo.png"
    train = lines(results, plans, "train_loss", -1)
    thin = [Curve(f"{c.label}, training", c.values.iloc[1:], {**c.look, "linewidth": 0.7}) for c in train]
    figures.curves(out / path, [*lines(results, plans, "valid_elbo", 1), *thin], f"ELBO ({NATS})")
    caption = (
        f"F03 (figure 1 of report 002). ELBO, higher is better, in {NATS}: on the validation split after each epoch"
        f" (thick), and on the training batches during it (thin, from the second epoch on). {about(plans)}"
    )
    return Picture(path, "F03", caption)


def printed(results: Results, reported: Reported, out: Path) -> dict[str, Any] | None:
    """Plot F02 and return its list: report 001's printed -ELBO beside the run that repeats it."""
    row = reported.row("001-vae-negative-elbo")
    found = results.find(row.ours)
    plan = results.finished.get((row.ours.stage, row.ours.run)) if row.ours else None
    if found is None or plan is None or not isinstance(row.value, list) or not isinstance(found.value, list):
        return None
    same = found.facts["data"] == row.protocol["data"]
    theirs = pd.DataFrame({"001": row.value}, index=range(1, len(row.value) + 1))
    curves = lines(results, [plan], "valid_elbo", -1)
    if same:
        dots = {"color": style.REPORTED, "linestyle": "", "marker": "o", "markersize": 3}
        curves.append(Curve("report 001", theirs, dots))
    path = "figures/vae/printed_elbo.png"
    figures.curves(out / path, curves, f"validation -ELBO ({NATS})")
    note = "" if same else f" Report 001 used {row.protocol['data']}: its curve is listed, not plotted."
    caption = (
        f"F02 (figures 1 and 2 of report 001). -ELBO on the validation split after each epoch, in {NATS},"
        f" run {plan.run}. {about([plan])}{note}"
    )
    printed, ours = dict(enumerate(row.value, 1)), dict(enumerate(found.value, 1))
    epochs = [(n, printed.get(n), ours.get(n)) for n in sorted({*printed, len(ours)})]
    return {"picture": Picture(path, "F02", caption), "run": plan.run, "data": found.facts["data"], "epochs": epochs}


def counts(metrics: dict[str, Any]) -> list[str]:
    """Return the numbers K of importance samples in order."""
    return sorted(metrics["mean"]["log_likelihood"], key=int)


def likelihood(results: Results, plans: Sequence[Plan], metrics: dict[str, dict[str, Any]], out: Path) -> Picture:
    """Plot the estimate of log p(x) against the number of importance samples."""
    path = "figures/vae/log_likelihood.png"
    with style.chart(out / path) as axes:
        for n, plan in enumerate(plans):
            estimates = [metrics[plan.run]["mean"]["log_likelihood"][k] for k in counts(metrics[plan.run])]
            ks = np.array(counts(metrics[plan.run]), float) * 1.04 ** (
                n - (len(plans) - 1) / 2
            )  # side by side where the estimates agree
            values, errors = ([estimate[key] for estimate in estimates] for key in ("value", "standard_error"))
            axes.errorbar(
                ks, values, errors, label=plan.run, marker="o", markersize=3, capsize=2, **line(results, plan)
            )
        axes.set_xscale("log")
        every = sorted({int(k) for plan in plans for k in counts(metrics[plan.run])})
        axes.set_xticks(every, [str(k) for k in every])
        axes.minorticks_off()
        axes.set_xlabel("importance samples K per image")
        axes.set_ylabel(f"log p(x) ({NATS})")
        axes.legend()
    protocols = [metrics[plan.run]["protocol"] for plan in plans]
    sets = ", ".join(dict.fromkeys(f"{protocol['images']} of {protocol['data']}" for protocol in protocols))
    caption = (
        f"Importance-sampled log p(x) against the number K of samples per image, in {NATS}, mean over seeds; bars are"
        f" one standard error over the images of the test split ({sets}). The expectation rises with K (Burda et al."
        " 2016) from that of the ELBO at K = 1. Runs are shifted sideways a little."
    )
    return Picture(path, "log p(x) against K", caption)

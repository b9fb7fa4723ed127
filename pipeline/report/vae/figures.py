"""Charts of the Bernoulli autoencoders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report import figures, style
from pipeline.report.autoencoders import NATS, line, lines
from pipeline.report.figures import Curve
from pipeline.report.reported import Reported
from pipeline.report.results import Results, about
from pipeline.runtime.plan import Plan

LABEL = f"-ELBO ({NATS})"


def curves(results: Results, plans: Sequence[Plan], out: Path) -> str:
    """Plot the validation -ELBO (F01), and the ELBO on validation images and training batches (F03); say what is shown."""
    figures.curves(
        out / "figures/vae/negative_elbo.png", lines(results, plans, "valid_elbo", -1), f"validation {LABEL}"
    )
    train = lines(results, plans, "train_loss", -1)
    thin = [Curve(f"{c.label}, training", c.values.iloc[1:], {**c.look, "linewidth": 0.7}) for c in train]
    both = [*lines(results, plans, "valid_elbo"), *thin]
    figures.curves(out / "figures/vae/elbo.png", both, f"ELBO ({NATS})")
    return about(plans)


def printed(results: Results, reported: Reported, out: Path) -> dict[str, Any] | None:
    """Plot F02 and return its list: report 001's printed -ELBO beside the run that repeats it."""
    row = reported.row("001-vae-negative-elbo")
    found = results.find(row.ours)
    plan = results.finished.get((row.ours.stage, row.ours.run)) if row.ours else None
    if found is None or plan is None or not isinstance(row.value, list) or not isinstance(found.value, list):
        return None
    theirs, ours = dict(enumerate(row.value, 1)), dict(enumerate(found.value, 1))
    same = found.facts["data"] == row.protocol["data"]
    dots = {"color": style.REPORTED, "linestyle": "", "marker": "o", "markersize": 3}
    shown = [Curve("report 001", pd.DataFrame({"001": theirs}), dots)] if same else []
    path = out / "figures/vae/printed_elbo.png"
    figures.curves(path, [*lines(results, [plan], "valid_elbo", -1), *shown], f"validation {LABEL}")
    return {
        "run": plan.run,
        "data": found.facts["data"],
        "same": same,
        "theirs": row.protocol["data"],
        "about": about([plan]),
        "epochs": [(n, theirs.get(n), ours.get(n)) for n in sorted({*theirs, len(ours)})],
    }


def counts(metrics: dict[str, Any]) -> list[str]:
    """Return the numbers K of importance samples in order."""
    return sorted(metrics["mean"]["log_likelihood"], key=int)


def likelihood(results: Results, plans: Sequence[Plan], metrics: dict[str, Any], out: Path) -> str:
    """Plot the estimate of log p(x) against the number of importance samples; name images and data sets."""
    with style.chart(out / "figures/vae/log_likelihood.png") as axes:
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
        axes.set(xlabel="importance samples K per image", ylabel=f"log p(x) ({NATS})")
        axes.legend()
    protocols = [metrics[plan.run]["protocol"] for plan in plans]
    return ", ".join(dict.fromkeys(f"{protocol['images']} of {protocol['data']}" for protocol in protocols))

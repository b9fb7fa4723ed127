"""The Bernoulli autoencoders: training curves, log-likelihood, planar layers on the posterior, pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS, about, lines, look
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

NETWORKS = ("mlp", "conv")


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    settings = autoencoders.settings(trained)
    metrics = {step.run: results.metrics(step) for step in scored}
    values = {
        "settings": settings,
        "keys": list(dict.fromkeys(key for run in settings.values() for key in run)),
        "negative": _negative(results, trained, out) if trained else None,
        "printed": _printed(results, reported, out),
        "positive": _positive(results, trained, out) if trained else None,
        "scores": {step.run: metrics[step.run] for step in scored},
        "protocols": _protocols(metrics),
        "likelihood_picture": _likelihood(results, scored, metrics, out) if scored else None,
        "layers": _layers(results, scored, metrics),
        "pictures": [picture for step in scored for picture in autoencoders.pictures(results, step, out)],
    }
    headlines: dict[str, float] = {}
    for step in scored:
        headlines |= {f"vae.{step.run}.{key}": value for key, value in _headlines(metrics[step.run]).items()}
    return Content(values, headlines)


def _layers(results: Results, steps: Sequence[Plan], metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Return the runs with planar layers, those trained alike but for them, and the largest K of all of them."""
    trainings = {plan.run: plan for plan in results.plans if plan.stage == "train_vae"}

    def kin(run: str) -> str:
        own, free = trainings[run].settings, {"flow_layers", "kl", "kl_samples", "seeds"}
        return repr([trainings[run].inputs, *(value for key, value in own.items() if key not in free)])

    layers = {step.run: trainings[step.run].settings.get("flow_layers", 0) for step in steps}
    families = {kin(run) for run in layers if layers[run]}
    runs = [run for run in layers if kin(run) in families and trainings[run].settings["kl"] != "monte_carlo"]
    if not runs:
        return None
    shared = set.intersection(*(set(_counts(metrics[run])) for run in runs))
    runs.sort(key=lambda run: (metrics[run]["protocol"]["data"], layers[run]))
    return {"runs": {run: layers[run] for run in runs}, "most": max(shared, key=int)}


def _protocols(metrics: dict[str, Any]) -> dict[str, list[str]]:
    """Return the runs by how their ELBO was estimated."""
    found: dict[str, list[str]] = {}
    for run, values in metrics.items():
        found.setdefault(values["protocol"]["elbo"], []).append(run)
    return found


def _negative(results: Results, steps: Sequence[Plan], out: Path) -> Picture:
    path = "figures/vae/negative_elbo.png"
    figures.curves(out / path, lines(results, steps, "valid_elbo", -1), f"validation -ELBO ({NATS})")
    caption = f"F01 (figure of report 000). -ELBO on the validation split after each epoch, in {NATS}. {about(steps)}"
    return Picture(path, "F01", caption)


def _positive(results: Results, steps: Sequence[Plan], out: Path) -> Picture:
    path = "figures/vae/elbo.png"
    train = lines(results, steps, "train_loss", -1)
    thin = [Curve(f"{c.label}, training", c.values.iloc[1:], {**c.look, "linewidth": 0.7}) for c in train]
    figures.curves(out / path, [*lines(results, steps, "valid_elbo", 1), *thin], f"ELBO ({NATS})")
    caption = (
        f"F03 (figure 1 of report 002). ELBO, higher is better, in {NATS}: on the validation split after each epoch"
        f" (thick), and on the training batches during it (thin, from the second epoch on). {about(steps)}"
    )
    return Picture(path, "F03", caption)


def _printed(results: Results, reported: Reported, out: Path) -> dict[str, Any] | None:
    """Draw F02 and return its list: report 001's printed -ELBO beside the run that repeats it."""
    row = reported.row("001-vae-negative-elbo")
    found = results.find(row.ours)
    step = results.finished.get((row.ours.stage, row.ours.run)) if row.ours else None
    if found is None or step is None or not isinstance(row.value, list) or not isinstance(found.value, list):
        return None
    same = found.facts["data"] == row.protocol["data"]
    theirs = pd.DataFrame({"001": row.value}, index=range(1, len(row.value) + 1))
    curves = lines(results, [step], "valid_elbo", -1)
    if same:
        dots = {"color": style.REPORTED, "linestyle": "", "marker": "o", "markersize": 3}
        curves.append(Curve("report 001", theirs, dots))
    path = "figures/vae/printed_elbo.png"
    figures.curves(out / path, curves, f"validation -ELBO ({NATS})")
    note = "" if same else f" Report 001 used {row.protocol['data']}: its curve is listed, not drawn."
    caption = (
        f"F02 (figures 1 and 2 of report 001). -ELBO on the validation split after each epoch, in {NATS},"
        f" run {step.run}. {about([step])}{note}"
    )
    printed, ours = dict(enumerate(row.value, 1)), dict(enumerate(found.value, 1))
    epochs = [(n, printed.get(n), ours.get(n)) for n in sorted({*printed, len(ours)})]
    return {"picture": Picture(path, "F02", caption), "run": step.run, "data": found.facts["data"], "epochs": epochs}


def _counts(metrics: dict[str, Any]) -> list[str]:
    return sorted(metrics["mean"]["log_likelihood"], key=int)


def _headlines(metrics: dict[str, Any]) -> dict[str, float]:
    mean, most = metrics["mean"], _counts(metrics)[-1]
    return {
        "valid_elbo": mean["elbo"]["valid"],
        "test_elbo": mean["elbo"]["test"],
        f"log_likelihood_{most}": mean["log_likelihood"][most]["value"],
    }


def _likelihood(results: Results, steps: Sequence[Plan], metrics: dict[str, dict[str, Any]], out: Path) -> Picture:
    """Draw the estimate of log p(x) against the number of importance samples."""
    path = "figures/vae/log_likelihood.png"
    with style.chart(out / path) as axes:
        for n, step in enumerate(steps):
            mean = metrics[step.run]["mean"]
            counts = _counts(metrics[step.run])
            ks = np.array(counts, float) * 1.04 ** (n - (len(steps) - 1) / 2)  # side by side where the estimates agree
            values = [mean["log_likelihood"][k]["value"] for k in counts]
            errors = [mean["log_likelihood"][k]["standard_error"] for k in counts]
            axes.errorbar(
                ks, values, errors, label=step.run, marker="o", markersize=3, capsize=2, **look(results, step)
            )
        axes.set_xscale("log")
        every = sorted({int(k) for step in steps for k in _counts(metrics[step.run])})
        axes.set_xticks(every, [str(k) for k in every])
        axes.minorticks_off()
        axes.set_xlabel("importance samples K per image")
        axes.set_ylabel(f"log p(x) ({NATS})")
        axes.legend()
    protocols = [metrics[step.run]["protocol"] for step in steps]
    sets = ", ".join(dict.fromkeys(f"{protocol['images']} of {protocol['data']}" for protocol in protocols))
    caption = (
        f"Importance-sampled log p(x) against the number K of samples per image, in {NATS}, mean over seeds; bars are"
        f" one standard error over the images of the test split ({sets}). The expectation rises with K (Burda et al."
        " 2016) from that of the ELBO at K = 1. Runs are shifted sideways a little."
    )
    return Picture(path, "log p(x) against K", caption)


CHAPTER = Chapter("vae.md.j2", autoencoders.READS, ("A",), write)

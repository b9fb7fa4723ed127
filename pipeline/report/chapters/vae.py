"""The Bernoulli autoencoders: training curves, log-likelihood, reconstructions and samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report import figures, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

PAIRS = 32  # reconstructions shown
COLUMNS = 16
SCALE = 2
NATS = "nats per image"


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family."""
    trained, scored = results.steps("train_vae"), results.steps("likelihood")
    settings = {step.run: {"data": _data(step), **step.settings} for step in trained}
    metrics = {step.run: results.metrics(step) for step in scored}
    values = {
        "settings": settings,
        "keys": list(dict.fromkeys(key for run in settings.values() for key in run)),
        "negative": _negative(results, trained, out) if trained else None,
        "printed": _printed(results, reported, out),
        "positive": _positive(results, trained, out) if trained else None,
        "scores": {step.run: metrics[step.run] for step in scored},
        "likelihood_picture": _likelihood(results, scored, metrics, out) if scored else None,
        "pictures": [picture for step in scored for picture in _pictures(results, step, metrics[step.run], out)],
    }
    headlines: dict[str, float] = {}
    for step in scored:
        headlines |= {f"vae.{step.run}.{key}": value for key, value in _headlines(metrics[step.run]).items()}
    return Content(values, headlines)


def _data(step: Plan) -> str:
    return Path(step.inputs["data"]).name


def _about(steps: Sequence[Plan]) -> str:
    """Say what a picture of several runs shows: data sets, seeds, and what the band means."""
    sets = ", ".join(dict.fromkeys(map(_data, steps)))
    seeds = sorted({seed for step in steps for seed in step.settings["seeds"]})
    several = "; line and band: their mean and range" if len(seeds) > 1 else ""
    return f"Data {sets}; seed{'s' * bool(several)} {', '.join(map(str, seeds))}{several}."


def _lines(results: Results, steps: Sequence[Plan], column: str, sign: int) -> list[Curve]:
    return [Curve(step.run, sign * results.curve(step, column), _look(results, step)) for step in steps]


def _look(results: Results, step: Plan) -> dict[str, Any]:
    """Return the line of a run: that of its place among the planned ones, the same in every chart."""
    return style.line([plan.run for plan in results.plans if plan.stage == "train_vae"].index(step.run))


def _negative(results: Results, steps: Sequence[Plan], out: Path) -> Picture:
    path = "figures/vae/negative_elbo.png"
    figures.curves(out / path, _lines(results, steps, "valid_elbo", -1), f"validation -ELBO ({NATS})")
    caption = f"F01 (figure of report 000). -ELBO on the validation split after each epoch, in {NATS}. {_about(steps)}"
    return Picture(path, "F01", caption)


def _positive(results: Results, steps: Sequence[Plan], out: Path) -> Picture:
    path = "figures/vae/elbo.png"
    train = _lines(results, steps, "train_loss", -1)
    thin = [Curve(f"{c.label}, training", c.values.iloc[1:], {**c.look, "linewidth": 0.7}) for c in train]
    figures.curves(out / path, [*_lines(results, steps, "valid_elbo", 1), *thin], f"ELBO ({NATS})")
    caption = (
        f"F03 (figure 1 of report 002). ELBO, higher is better, in {NATS}: on the validation split after each epoch"
        f" (thick), and on the training batches during it (thin, from the second epoch on). {_about(steps)}"
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
    lines = _lines(results, [step], "valid_elbo", -1)
    if same:
        dots = {"color": style.REPORTED, "linestyle": "", "marker": "o", "markersize": 3}
        lines.append(Curve("report 001", theirs, dots))
    path = "figures/vae/printed_elbo.png"
    figures.curves(out / path, lines, f"validation -ELBO ({NATS})")
    note = "" if same else f" Report 001 used {row.protocol['data']}: its curve is listed, not drawn."
    caption = (
        f"F02 (figures 1 and 2 of report 001). -ELBO on the validation split after each epoch, in {NATS},"
        f" run {step.run}. {_about([step])}{note}"
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
                ks, values, errors, label=step.run, marker="o", markersize=3, capsize=2, **_look(results, step)
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


def _pictures(results: Results, step: Plan, metrics: dict[str, Any], out: Path) -> list[Picture]:
    """Draw reconstructions and samples of one run."""
    protocol, seed = metrics["protocol"], next(iter(metrics["seeds"]))
    epoch = results.settings(step)["epochs"]
    about = f"run {step.run}, data {protocol['data']}, epoch {epoch}, seed {seed}"
    originals, decoded, samples = (
        figures.grey(np.asarray(results.array(step, name)), levels=2)
        for name in ("originals", "reconstructions", "samples")
    )
    folder = f"figures/vae/{step.run}"
    pairs, columns = figures.whole_rows(min(PAIRS, len(originals)), COLUMNS)
    rows = figures.interleave(originals[:pairs], decoded[:pairs], columns)
    figures.sheet(out / folder / "reconstructions.png", rows, columns, SCALE, group=2)
    drawn, columns = figures.whole_rows(len(samples), COLUMNS)
    figures.sheet(out / folder / "samples.png", samples[:drawn], columns, SCALE)
    return [
        Picture(
            f"{folder}/reconstructions.png",
            f"reconstructions of {step.run}",
            f"Reconstructions, {about}: in each pair of rows, images of the {protocol['split']} split above and the"
            " Bernoulli means decoded from their posterior means below.",
        ),
        Picture(
            f"{folder}/samples.png",
            f"samples of {step.run}",
            f"Samples, {about}: Bernoulli means decoded from {drawn} draws of the prior.",
        ),
    ]


CHAPTER = Chapter(
    "vae.md.j2",
    {
        "train_vae": ("history.csv",),
        "likelihood": ("metrics.json", "originals.npy", "reconstructions.npy", "samples.npy"),
    },
    ("A",),
    write,
)

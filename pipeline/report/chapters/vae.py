"""The Bernoulli autoencoders: training curves, log-likelihood, planar layers on the posterior, pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.metrics.operations import Operations
from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS, about, lines, look
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, elsewhere, short
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import vae as rules
from pipeline.runtime.plan import Plan
from pipeline.vae.objective import kl_analytic, kl_monte_carlo

NETWORKS = ("mlp", "conv")
CLOSED, MONTE_CARLO = "bernoulli", "bernoulli_mc"  # the runs that claims compare, as in reported.yaml
DRAWS = (1, 10, 1000)  # of the Monte-Carlo KL whose operations are counted
STEPS = 20 * 50_000 // 64  # of the reports' training


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    settings = autoencoders.settings(trained)
    metrics = {step.run: results.metrics(step) for step in scored}
    values = {
        "settings": settings,
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
    return Content(values, headlines, _claims(results, reported, metrics))


def _claims(results: Results, reported: Reported, metrics: dict[str, Any]) -> list[Claim]:
    """Test C01 to C06 and C57 on the runs that have finished."""
    closed, estimated = (metrics.get(run, {}).get("seeds", {}) for run in (CLOSED, MONTE_CARLO))
    trained = results.finished.get(("train_vae", CLOSED))
    row = reported.row("000-vae-target")
    found = results.find(row.ours)
    own = elsewhere(reported.conditions(row), found.facts) if found else ""
    scarce = short(autoencoders.steps(results, trained), STEPS) if trained else ""
    curves = autoencoders.by_seed(results, trained, "valid_elbo") if trained else {}
    long = [step for step in autoencoders.of(results, "train_vae", NETWORKS) if trained and _longer(step, trained)]
    layers = _layers(results, results.steps("likelihood"), metrics) if metrics else None
    tests = {
        count: {seed: scores["elbo"]["test"] for seed, scores in metrics[run]["seeds"].items()}
        for run, count in (layers["runs"] if layers else {}).items()
    }
    path = {name: f"figures/vae/{name}.png" for name in ("elbo", "negative_elbo", "printed_elbo", "log_likelihood")}
    return [
        rules.target({seed: curve[-1] for seed, curve in curves.items()}, path["elbo"], own),
        rules.estimators(_at_200(closed), _at_200(estimated), path["log_likelihood"], scarce),
        _cost(trained, metrics),
        rules.descent({seed: [-v for v in curve] for seed, curve in curves.items()}, path["printed_elbo"], scarce),
        rules.bound(
            {seed: scores["elbo"]["test"] for seed, scores in closed.items()},
            {seed: {k: at["value"] for k, at in scores["log_likelihood"].items()} for seed, scores in closed.items()},
            path["log_likelihood"],
        ),
        rules.longer(
            autoencoders.by_seed(results, long[0], "valid_elbo") if long else {}, path["elbo"],
            elsewhere({"data": row.protocol["data"]}, {"data": autoencoders.data(long[0])}) if long else "",
        ),
        rules.layers(
            tests.get(0, {}), {count: scores for count, scores in tests.items() if count}, path["log_likelihood"],
            scarce,
        ),
    ]  # fmt: skip


def _longer(step: Plan, other: Plan) -> bool:
    """Return whether a training differs from another in nothing but more epochs, and its seeds."""
    rest, own = ({k: v for k, v in plan.settings.items() if k not in ("epochs", "seeds")} for plan in (step, other))
    return rest == own and step.inputs == other.inputs and step.settings["epochs"] > other.settings["epochs"]


def _at_200(seeds: dict[str, Any]) -> dict[str, float]:
    estimates = {seed: scores["log_likelihood"].get(rules.IMPORTANCE) for seed, scores in seeds.items()}
    return {seed: at["value"] for seed, at in estimates.items() if at}


def _cost(trained: Plan | None, metrics: dict[str, Any]) -> Claim:
    """Test C03 by counting what the two functions of KL compute for one image."""
    latent = trained.settings["latent"] if trained else 100
    mean, logvar = torch.empty((2, 1, latent), device="meta")
    with (closed := Operations()):
        kl_analytic(mean, logvar)
    estimates = {}
    for draws in DRAWS:
        noise = torch.empty((draws, 1, latent), device="meta")
        with (estimated := Operations()):
            kl_monte_carlo(mean, logvar, noise)
        estimates[draws] = estimated.count
    weights = sum(layer["parameters"] for layer in metrics[CLOSED]["layers"]) if CLOSED in metrics else 0
    return rules.cost(closed.count, estimates, 6 * weights)  # a product and a sum per weight, three times


def _layers(results: Results, steps: Sequence[Plan], metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Return runs with planar layers and those alike but for them, what the layers gain, and the largest K of all."""
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
    plain = {metrics[run]["protocol"]["data"]: metrics[run]["seeds"] for run in runs if not layers[run]}
    gains = {run: _gain(metrics[run]["seeds"], plain.get(metrics[run]["protocol"]["data"], {})) for run in runs}
    return {"runs": {run: layers[run] for run in runs}, "gains": gains, "most": max(shared, key=int)}


def _gain(seeds: dict[str, Any], plain: dict[str, Any]) -> float | None:
    """Return how far the test ELBO is above that without layers, mean over the seeds of both."""
    gains = [scores["elbo"]["test"] - plain[seed]["elbo"]["test"] for seed, scores in seeds.items() if seed in plain]
    return float(np.mean(gains)) if gains else None


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

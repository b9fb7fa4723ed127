"""The Bernoulli autoencoders: training curves, log-likelihood, planar layers on the posterior, pictures."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.metrics.operations import Operations
from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS, line, lines
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, gain, per_seed
from pipeline.report.figures import Curve
from pipeline.report.marks import marks
from pipeline.report.reported import Reported
from pipeline.report.results import Results, about, data, settings
from pipeline.report.vae import rules
from pipeline.runtime.plan import Plan
from pipeline.vae.objective import kl_analytic, kl_monte_carlo

NETWORKS = ("mlp", "conv")
CLOSED, MONTE_CARLO = "bernoulli", "bernoulli_mc"  # the runs that claims compare, as in reported.yaml
ESTIMATES = (
    "000-vae-log-likelihood-monte-carlo", "000-vae-log-likelihood-analytic", "001-vae-log-likelihood",
    "002-vae-log-likelihood",
)  # fmt: skip
"""Rows with the reports' log p(x)."""
SAMPLES = (1, rules.TRAINED, 1000)  # of the Monte-Carlo KL whose operations are counted


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    every = {plan.run: results.metrics(plan) for plan in scored}
    metrics = {run: found for run, found in every.items() if "elbo" in found["mean"]}
    bounded = [plan for plan in scored if plan.run in metrics]
    protocols: dict[str, list[str]] = {}
    for run, found in metrics.items():
        protocols.setdefault(found["protocol"]["elbo"], []).append(run)
    layers = _layers(results, bounded, metrics)
    values = {
        "settings": settings(trained),
        "about": _curves(results, reported, trained, out),
        "printed": _printed(results, reported, out),
        "scores": metrics,
        "bits": autoencoders.bits(metrics),
        "protocols": protocols,
        "unbounded": {run: found["protocol"]["elbo"] for run, found in every.items() if run not in metrics},
        "sets": _likelihood(results, reported, bounded, metrics, out) if bounded else "",
        "layers": layers,
        "pictures": [autoencoders.decoded(results, plan, out) for plan in scored],
    }
    headlines: dict[str, float] = {}
    for run, found in metrics.items():
        mean, most = found["mean"], _counts(found)[-1]
        headlines |= {f"vae.{run}.{split}_elbo": mean["elbo"][split] for split in mean["elbo"]}
        headlines[f"vae.{run}.log_likelihood_{most}"] = mean["log_likelihood"][most]["value"]
    sources = {
        **dict.fromkeys(("figures/vae/negative_elbo.png", "figures/vae/elbo.png"), trained),
        "figures/vae/printed_elbo.png": [plan for plan in trained if plan.run == CLOSED],
        "figures/vae/log_likelihood.png": bounded,
        **autoencoders.sources(scored),
    }
    return Content(values, headlines, _claims(results, reported, metrics, layers), sources)


def _claims(
    results: Results, reported: Reported, metrics: dict[str, Any], layers: dict[str, Any] | None
) -> list[Claim]:
    """Test C01 to C06 and C57 on the runs that have finished."""
    test = partial(assess, reported)
    trained = results.finished.get(("train_vae", CLOSED))
    found = results.find(reported.row("000-vae-target").ours)
    length = [{"data": data(trained), **autoencoders.length(results, trained)}] if trained else []
    curves = per_seed({"curve": results.by_seed(trained, "valid_elbo") if trained else {}})
    long = [plan for plan in autoencoders.of(results, "train_vae", NETWORKS) if trained and _longer(plan, trained)][:1]
    longer = per_seed({"curve": results.by_seed(long[0], "valid_elbo") if long else {}})

    def elbo(run: str) -> dict[str, float]:
        return {seed: scores["elbo"]["test"] for seed, scores in metrics.get(run, {"seeds": {}})["seeds"].items()}

    def estimates(run: str) -> dict[str, dict[str, float]]:
        found = {seed: at["log_likelihood"] for seed, at in metrics.get(run, {"seeds": {}})["seeds"].items()}
        return {seed: {k: estimate["value"] for k, estimate in at.items()} for seed, at in found.items()}

    planned = {plan.run: plan for plan in results.planned if plan.stage == "train_vae"}
    kin = [
        run
        for run in (layers["runs"] if layers else {})
        if CLOSED in planned and _kin(planned[run]) == _kin(planned[CLOSED])
    ]
    by_layers = {layers["runs"][run]: list(elbo(run).values()) for run in kin} if layers else {}
    without, both = by_layers.pop(0, []), {"closed": estimates(CLOSED), "monte_carlo": estimates(MONTE_CARLO)}
    epochs = trained.settings["epochs"] if trained else 0
    gains = {"": {"without": without, "with_layers": by_layers, "epochs": epochs}} if without and by_layers else {}
    counted = {"": _operations(trained, metrics)} if trained and CLOSED in metrics else {}
    return [
        test("C01", rules.target, curves, [found.facts] if found else []),
        test("C02", rules.estimators, per_seed(both), length),
        test("C03", rules.operations, counted),
        test("C04", rules.descent, curves, length),
        test("C05", rules.bound, per_seed({"elbo": elbo(CLOSED), "log_likelihood": estimates(CLOSED)}), length),
        test("C06", rules.longer, longer, [{"data": data(plan)} for plan in long]),
        test("C57", rules.layers, gains, length),
    ]


def _kin(plan: Plan) -> str:
    """Return what runs have in common that differ in planar layers, the estimator of KL, and their seeds only."""
    free = {"flow_layers", "kl", "kl_samples", "seeds"}
    return repr([plan.inputs, *(value for key, value in plan.settings.items() if key not in free)])


def _longer(plan: Plan, other: Plan) -> bool:
    """Return whether a training differs from another in nothing but more epochs, and its seeds."""
    rest, own = ({k: v for k, v in each.settings.items() if k not in ("epochs", "seeds")} for each in (plan, other))
    return rest == own and plan.inputs == other.inputs and plan.settings["epochs"] > other.settings["epochs"]


def _operations(trained: Plan, metrics: dict[str, Any]) -> dict[str, Any]:
    """Count what the two functions of KL compute for one image, and estimate what the network does."""
    latent = trained.settings["latent"]
    mean, logvar = torch.zeros((2, 1, latent))
    with (closed := Operations()):
        kl_analytic(mean, logvar)
    monte_carlo = {}
    for samples in SAMPLES:
        noise = torch.zeros((samples, 1, latent))
        with (estimated := Operations()):
            kl_monte_carlo(mean, logvar, noise)
        monte_carlo[samples] = estimated.count
    weights = sum(layer["parameters"] for layer in metrics[CLOSED]["layers"])
    # a product and a sum for each weight, forwards and twice backwards
    return {"closed": closed.count, "monte_carlo": monte_carlo, "network": 6 * weights}


def _layers(results: Results, plans: Sequence[Plan], metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Return runs with planar layers and those alike but for them, what the layers gain, and the largest K of all."""
    trainings = {plan.run: plan for plan in results.planned if plan.stage == "train_vae"}
    layers = {plan.run: trainings[plan.run].settings.get("flow_layers", 0) for plan in plans}
    kin = {run: _kin(trainings[run]) for run in layers}
    families = {kin[run] for run in layers if layers[run]}
    runs = [run for run in layers if kin[run] in families and trainings[run].settings["kl"] != "monte_carlo"]
    shared = set.intersection(*(set(_counts(metrics[run])) for run in runs)) if runs else set[str]()
    if not shared:
        return None
    runs.sort(key=lambda run: (metrics[run]["protocol"]["data"], layers[run]))
    plain = {kin[run]: _elbos(metrics[run]) for run in runs if not layers[run]}
    gains = {run: gain(plain[kin[run]], _elbos(metrics[run])) for run in runs if layers[run] and kin[run] in plain}
    return {"runs": {run: layers[run] for run in runs}, "gains": gains, "most": max(shared, key=int)}


def _elbos(metrics: dict[str, Any]) -> list[float]:
    return [scores["elbo"]["test"] for scores in metrics["seeds"].values()]


def _curves(results: Results, reported: Reported, plans: Sequence[Plan], out: Path) -> str:
    """Plot the validation -ELBO (F01), and the ELBO on validation and training images (F03); say what is shown."""
    splits = {
        plan.run: next((s for s in ("valid", "test") if f"{s}_elbo" in results.columns(plan)), "") for plan in plans
    }
    plans = [plan for plan in plans if splits[plan.run]]
    if not plans:
        return ""
    held_out = [(plan, f"{splits[plan.run]}_elbo") for plan in plans]
    negative = [curve for plan, column in held_out for curve in lines(results, [plan], column, -1)]
    negative += marks(results, reported, ["000-vae-elbo"], "epochs", -1)
    figures.zoomed(out / "figures/vae/negative_elbo.png", negative, f"validation -ELBO ({NATS})")
    train = lines(results, plans, "train_loss", -1)
    # a label that begins with _ is in no legend
    thin = [Curve(f"_{c.label}", c.values.iloc[1:], {**c.look, "linewidth": 0.7}) for c in train]
    both = [*(curve for plan, column in held_out for curve in lines(results, [plan], column)), *thin]
    both += marks(results, reported, ["002-vae-elbo"], "epochs")
    figures.zoomed(out / "figures/vae/elbo.png", both, f"ELBO ({NATS})")
    tested = [run for run, split in splits.items() if split == "test"]
    return about(plans) + (f" Without a validation split, on the test split: {', '.join(tested)}." if tested else "")


def _printed(results: Results, reported: Reported, out: Path) -> dict[str, Any] | None:
    """Plot F02 and return its list: report 001's printed -ELBO beside the run that repeats it."""
    row = reported.row("001-vae-negative-elbo")
    found = results.find(row.ours)
    plan = results.finished.get((row.ours.stage, row.ours.run)) if row.ours else None
    if found is None or plan is None or not isinstance(row.value, list) or not isinstance(found.value, list):
        return None
    theirs, ours = dict(enumerate(row.value, 1)), dict(enumerate(found.value, 1))
    same = found.facts["data"] == row.protocol["data"]
    shown = [Curve("report 001", pd.DataFrame({"001": theirs}), style.DOTS)] if same else []
    path = out / "figures/vae/printed_elbo.png"
    figures.zoomed(path, [*lines(results, [plan], "valid_elbo", -1), *shown], f"validation -ELBO ({NATS})")
    return {
        "run": plan.run,
        "data": found.facts["data"],
        "same": same,
        "theirs": row.protocol["data"],
        "about": about([plan]),
        "epochs": [(n, theirs.get(n), ours.get(n)) for n in sorted({*theirs, len(ours)})],
    }


def _counts(metrics: dict[str, Any]) -> list[str]:
    """Return the numbers K of importance samples in order."""
    return sorted(metrics["mean"]["log_likelihood"], key=int)


def _likelihood(results: Results, reported: Reported, plans: Sequence[Plan], metrics: dict[str, Any], out: Path) -> str:
    """Plot the estimate of log p(x) against the number of importance samples; name images and data sets."""
    with style.chart(out / "figures/vae/log_likelihood.png") as axes:
        for n, plan in enumerate(plans):
            estimates = [metrics[plan.run]["mean"]["log_likelihood"][k] for k in _counts(metrics[plan.run])]
            aside = 1.04 ** (n - (len(plans) - 1) / 2)  # side by side where the estimates agree
            ks = np.array(_counts(metrics[plan.run]), float) * aside
            values, errors = ([estimate[key] for estimate in estimates] for key in ("value", "standard_error"))
            look = {"marker": "o", "markersize": 3, "capsize": 2, **line(results, plan)}
            axes.errorbar(ks, values, errors, label=plan.run, **look)
        for mark in marks(results, reported, ESTIMATES, "K"):
            axes.plot(mark.values.index, mark.values.iloc[:, 0], label=mark.label, **mark.look)
        axes.set_xscale("log")
        every = sorted({int(k) for plan in plans for k in _counts(metrics[plan.run])})
        axes.set_xticks(every, [str(k) for k in every])
        axes.minorticks_off()
        axes.set(xlabel="importance samples K per image", ylabel=f"log p(x) ({NATS})")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    protocols = [metrics[plan.run]["protocol"] for plan in plans]
    return ", ".join(dict.fromkeys(f"{protocol['images']} of {protocol['data']}" for protocol in protocols))


CHAPTER = Chapter("vae", autoencoders.READS, ("A",), write)

"""What the chapters on autoencoders share: which runs they show, and the pictures that every run has."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import figures, style
from pipeline.report.evaluators import covered, least
from pipeline.report.figures import Curve
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

PAIRS = 32  # reconstructions shown
COLUMNS = 16
SCALE = 2
NATS = "nats per image"
READS = {
    "train_vae": ("history.csv",),
    "likelihood": ("metrics.json", "originals.npy", "reconstructions.npy", "samples.npy", "interpolation.npy"),
    "score_samples": ("metrics.json",),
}
"""Files of every run, whatever chapter shows it."""


def of(results: Results, stage: str, networks: Sequence[str]) -> list[Plan]:
    """Return the finished plans of `stage` whose run has one of `networks`; each chapter shows its own."""
    return [plan for plan in results.plans(stage) if results.settings(plan)["network"] in networks]


def scored_samples(results: Results, networks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the scores of samples and reconstructions, by the run of the autoencoder that made them.

    Of several evaluators that have scored one autoencoder the first counts: the others stand under their own names.
    """
    found: dict[str, dict[str, Any]] = {}
    for plan in of(results, "score_samples", networks):
        made_by = Path(plan.inputs["model"]).name
        found[plan.run if made_by in found else made_by] = results.metrics(plan)
    return found


def hardly_nearer(results: Results, reported: Reported, networks: Sequence[str]) -> dict[str, int]:
    """Return runs whose samples are hardly nearer to real images than noise is, and how much nearer, in percent."""
    shares = {}
    for plan in of(results, "score_samples", networks):
        distances = [at["samples"]["frechet_distance"] for at in results.metrics(plan)["seeds"].values()]
        shares[Path(plan.inputs["model"]).name] = covered(results, Path(plan.inputs["features"]).name, distances)
    return {run: share for run, share in shares.items() if share < least(reported)}


def bits(metrics: Mapping[str, dict[str, Any]]) -> tuple[str, dict[str, float]]:
    """Return the largest K that all runs have, and their bits per dimension of log p(x) at that K.

    An estimate with more importance samples is higher, so that only those with the same K can be compared. Bits are
    linear in nats, and stored for the ELBO and for the largest K of each run.
    """
    estimated = {run: found["mean"] for run, found in metrics.items() if "log_likelihood" in found["mean"]}
    shared = set.intersection(*(set(mean["log_likelihood"]) for mean in estimated.values())) if estimated else set()
    if not shared:
        return "", {}
    most, found = max(shared, key=int), {}
    for run, mean in estimated.items():
        nats = {k: at["value"] for k, at in mean["log_likelihood"].items()}
        low, high, elbo = (
            mean["bits_per_dimension"]["elbo"], mean["bits_per_dimension"]["log_likelihood"], mean["elbo"]["test"]
        )  # fmt: skip
        found[run] = low + (high - low) * (nats[most] - elbo) / (nats[max(nats, key=int)] - elbo)
    return most, found


def length(results: Results, trained: Plan) -> dict[str, int]:
    """Return how many steps of gradient descent a training takes, a last batch of few images being one."""
    card = results.card(trained) or {"counts": {"train": 0}}
    batches = -(-card["counts"]["train"] // trained.settings["batch"])
    return {"steps of gradient descent": trained.settings["epochs"] * batches}


def line(results: Results, plan: Plan) -> dict[str, Any]:
    """Return the look of a run's line: that of its place among the planned ones of its network, in every chart."""
    network = results.settings(plan)["network"]
    trainings = [each for each in results.planned if each.stage == "train_vae" and each.settings["network"] == network]
    return style.line([each.run for each in trainings].index(plan.run))


def lines(results: Results, plans: Sequence[Plan], column: str, sign: int = 1) -> list[Curve]:
    """Return one column of the histories of several trainings."""
    return [Curve(plan.run, sign * results.curve(plan, column), line(results, plan)) for plan in plans]


def decoded(results: Results, plan: Plan, out: Path, item: str = "") -> dict[str, Any]:
    """Show reconstructions and samples of one run; `item` names the reports' figure that they answer, `F26`."""
    metrics, folder = results.metrics(plan), f"figures/vae/{plan.run}"
    originals, decoded, samples = (grey(results, plan, name) for name in ("originals", "reconstructions", "samples"))
    pairs, columns = figures.whole_rows(min(PAIRS, len(originals)), COLUMNS)
    rows = figures.interleave(originals[:pairs], decoded[:pairs], columns)
    labels = ["original", "decoded"] * (pairs // columns)
    figures.sheet(out / folder / "reconstructions.png", rows, columns, SCALE, group=2, labels=labels)
    count, columns = figures.whole_rows(len(samples), COLUMNS)
    figures.sheet(out / folder / "samples.png", samples[:count], columns, SCALE)
    seed, epoch = next(iter(metrics["seeds"])), results.settings(plan)["epochs"]
    where = f"run {plan.run}, data {metrics['protocol']['data']}, epoch {epoch}, seed {seed}"
    split = metrics["protocol"]["split"]
    return {"run": plan.run, "folder": folder, "item": item, "where": where, "split": split, "samples": count}


def sources(scored: Sequence[Plan]) -> dict[str, list[Plan]]:
    """Return what the pictures of `decoded` show."""
    names = ("reconstructions", "samples")
    return {f"figures/vae/{plan.run}/{name}.png": [plan] for plan in scored for name in names}


def grey(results: Results, plan: Plan, name: str) -> np.ndarray:
    """Return a stored picture as bytes in 0..255."""
    card = results.card(plan)
    return figures.grey(np.asarray(results.array(plan, name)), levels=card["levels"] if card else 256)

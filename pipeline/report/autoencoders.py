"""What the chapters on autoencoders share: which runs they show, and the pictures that every run has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import figures, style
from pipeline.report.figures import Curve, Picture
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
    """Return the finished steps of `stage` whose run has one of `networks`; each chapter shows its own."""
    return [step for step in results.steps(stage) if results.settings(step)["network"] in networks]


def judged(results: Results, networks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how the pictures of runs with one of `networks` were judged, by the run that made them."""
    return {Path(step.inputs["model"]).name: results.metrics(step) for step in of(results, "score_samples", networks)}


def data(step: Plan) -> str:
    """Return the name of the data set that a step reads."""
    return Path(step.inputs["data"]).name


def steps(results: Results, trained: Plan) -> float:
    """Return how many steps of gradient descent a training takes, a last batch of few images being one."""
    card = results.card(trained) or {"counts": {"train": 0}}
    return float(trained.settings["epochs"] * -(-card["counts"]["train"] // trained.settings["batch"]))


def by_seed(results: Results, trained: Plan, column: str) -> dict[str, list[float]]:
    """Return one column of a training's history by seed."""
    return {str(seed): curve.tolist() for seed, curve in results.curve(trained, column).items()}


def settings(steps: Sequence[Plan]) -> dict[str, dict[str, Any]]:
    """Return what each training is set to, by run."""
    return {step.run: {"data": data(step), **step.settings} for step in steps}


def about(steps: Sequence[Plan]) -> str:
    """Say what a picture of several trainings shows: data sets, seeds, and what the band means."""
    sets = ", ".join(dict.fromkeys(map(data, steps)))
    seeds = sorted({seed for step in steps for seed in step.settings["seeds"]})
    several = "; line and band: their mean and range" if len(seeds) > 1 else ""
    return f"Data {sets}; seed{'s' * bool(several)} {', '.join(map(str, seeds))}{several}."


def look(results: Results, step: Plan) -> dict[str, Any]:
    """Return the line of a run: that of its place among the planned ones of its network, the same in every chart."""
    network = results.settings(step)["network"]
    trainings = [plan for plan in results.plans if plan.stage == "train_vae" and plan.settings["network"] == network]
    number = [plan.run for plan in trainings].index(step.run)
    return style.line(number)


def lines(results: Results, steps: Sequence[Plan], column: str, sign: int = 1) -> list[Curve]:
    """Return one column of the histories of several trainings."""
    return [Curve(step.run, sign * results.curve(step, column), look(results, step)) for step in steps]


def where(results: Results, step: Plan, metrics: dict[str, Any]) -> str:
    """Say which network a picture was made with."""
    seed, epoch = next(iter(metrics["seeds"])), results.settings(step)["epochs"]
    return f"run {step.run}, data {metrics['protocol']['data']}, epoch {epoch}, seed {seed}"


def pictures(results: Results, step: Plan, out: Path, item: str = "") -> list[Picture]:
    """Draw reconstructions and samples of one run; `item` names the reports' figure that they answer, `F26`."""
    prefix = f"{item}. " if item else ""
    metrics, folder = results.metrics(step), f"figures/vae/{step.run}"
    originals = grey(results, step, "originals")
    decoded, samples = (grey(results, step, name) for name in ("reconstructions", "samples"))
    pairs, columns = figures.whole_rows(min(PAIRS, len(originals)), COLUMNS)
    rows = figures.interleave(originals[:pairs], decoded[:pairs], columns)
    figures.sheet(out / folder / "reconstructions.png", rows, columns, SCALE, group=2)
    drawn, columns = figures.whole_rows(len(samples), COLUMNS)
    figures.sheet(out / folder / "samples.png", samples[:drawn], columns, SCALE)
    shown = where(results, step, metrics)
    return [
        Picture(
            f"{folder}/reconstructions.png",
            f"reconstructions of {step.run}",
            f"{prefix}Reconstructions, {shown}: in each pair of rows, images of the"
            f" {metrics['protocol']['split']} split above and what their codes (posterior means) decode to below.",
        ),
        Picture(
            f"{folder}/samples.png",
            f"samples of {step.run}",
            f"{prefix}Samples, {shown}: means decoded from {drawn} draws of N(0, I).",
        ),
    ]


def grey(results: Results, step: Plan, name: str) -> np.ndarray:
    """Return a stored picture as bytes in 0..255."""
    card = results.card(step)
    return figures.grey(np.asarray(results.array(step, name)), levels=card["levels"] if card else 256)

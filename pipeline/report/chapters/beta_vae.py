"""The convolutional autoencoders: plain ones of three sizes, variational ones, the weight of KL and its schedule."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.report import autoencoders, figures
from pipeline.report.autoencoders import NATS, about, lines
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

NETWORKS = ("conv32",)
TABLE = {
    "beta 0.8": "003-beta-0.8",
    "beta 1": "003-vae",
    "beta 1.2": "003-beta-1.2",
    "linear beta": "003-linear-beta",
}
"""Columns of report 003's two tables, and how its rows in reported.yaml begin."""


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks, each data set by itself."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {step.run: results.metrics(step) for step in scored}
    sets = dict.fromkeys(map(autoencoders.data, trained))
    values = {
        "settings": autoencoders.settings(trained),
        "scores": metrics,
        "table": [_row(results, reported, name, row) for name, row in TABLE.items()],
        "charts": [
            picture
            for name in sets
            for picture in _charts(results, name, [step for step in trained if autoencoders.data(step) == name], out)
        ],
        "pictures": [picture for step in scored for picture in autoencoders.pictures(results, step, out)],
    }
    headlines: dict[str, float] = {}
    for run, found in metrics.items():
        headlines |= {
            f"vae.{run}.{key}": found["mean"][key] for key in ("reconstruction", "kl") if key in found["mean"]
        }
    return Content(values, headlines)


def _row(results: Results, reported: Reported, name: str, row: str) -> dict[str, Any]:
    rows = {term: reported.row(f"{row}-{term}") for term in ("reconstruction", "kl")}
    return {"name": name, **{key: (line.value, results.find(line.ours)) for key, line in rows.items()}}


def _charts(results: Results, data: str, steps: Sequence[Plan], out: Path) -> list[Picture]:
    """Draw the learning curves of the runs on one data set, grouped as report 003 groups them."""
    plain = [step for step in steps if step.settings["posterior"] == "deterministic"]
    drawn = [step for step in steps if step.settings["posterior"] == "gaussian"]
    fixed = [step for step in drawn if step.settings["beta_schedule"] == "constant" and step.settings["beta"]]
    linear = [step for step in drawn if step.settings["beta_schedule"] == "linear"]
    one = [step for step in fixed if step.settings["beta"] == 1]
    none = [step for step in steps if step.settings["beta"] == 0]
    widest = [step for step in plain if none and step.settings["latent"] == none[0].settings["latent"]]
    term = "squared error, summed over pixels"
    charts = [
        ("F25", "ae_reconstruction", plain, "test_reconstruction", term, "autoencoders of several latent sizes"),
        ("F26 and F27", "beta_reconstruction", fixed, "test_reconstruction", term, "constant weights of KL"),
        ("F26 and F27", "beta_kl", fixed, "test_kl", f"KL ({NATS})", "constant weights of KL"),
        ("F28", "linear_reconstruction", [*one, *linear] if linear else [], "test_reconstruction", term,
         "a weight of KL that rises from 0, beside a constant one"),
        ("F28", "linear_kl", [*one, *linear] if linear else [], "test_kl", f"KL ({NATS})",
         "a weight of KL that rises from 0, beside a constant one"),
        ("beta = 0", "zero_reconstruction", [*none, *widest] if none else [], "test_reconstruction", term,
         "no weight on KL, with a drawn code and with the mean as code, beside the autoencoder of the same size"),
    ]  # fmt: skip
    pictures = []
    for title, name, shown, column, label, what in charts:
        if shown:
            path = f"figures/vae/{name}_{data}.png"
            figures.curves(out / path, lines(results, shown, column), label, log=name == "linear_kl")
            what = f"{title} ({data}): {what}. Mean over the images of the test split after each epoch, z drawn where"
            pictures.append(Picture(path, title, f"{what} there is a posterior. {about(shown)}"))
    return pictures


CHAPTER = Chapter("beta_vae.md.j2", autoencoders.READS, ("H",), write)

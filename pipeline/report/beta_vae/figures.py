"""Charts of the convolutional autoencoders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.report import figures
from pipeline.report.autoencoders import NATS, lines
from pipeline.report.results import Results, about
from pipeline.runtime.plan import Plan


def item(settings: dict[str, Any]) -> str:
    """Return the figure of report 003 that shows reconstructions and samples of such a run, nothing if none does."""
    if settings["posterior"] == "deterministic":
        return "F25"
    if settings["beta_schedule"] == "linear":
        return "F28"
    return {1.0: "F26", 0.0: ""}.get(settings["beta"], "F27")


def charts(results: Results, data: str, plans: Sequence[Plan], out: Path) -> list[dict[str, Any]]:
    """Plot the learning curves of the runs on one data set, grouped as report 003 groups them."""
    plain = [plan for plan in plans if plan.settings["posterior"] == "deterministic"]
    variational = [plan for plan in plans if plan.settings["posterior"] == "gaussian"]
    fixed = [plan for plan in variational if plan.settings["beta_schedule"] == "constant" and plan.settings["beta"]]
    linear = [plan for plan in variational if plan.settings["beta_schedule"] == "linear"]
    one = [plan for plan in fixed if plan.settings["beta"] == 1]
    none = [plan for plan in plans if plan.settings["beta"] == 0]
    widest = [plan for plan in plain if none and plan.settings["latent"] == none[0].settings["latent"]]
    term = "squared error, sum over pixels in [-1, 1]"
    charts = [
        ("F25", "ae_reconstruction", plain, "test_reconstruction", term, "autoencoders of several latent sizes"),
        ("F26 and F27", "beta_reconstruction", fixed, "test_reconstruction", term, "constant weights of KL"),
        ("F26 and F27", "beta_kl", fixed, "test_kl", f"KL ({NATS})", "constant weights of KL"),
        ("F28", "linear_reconstruction", [*one, *linear] if linear else [], "test_reconstruction", term,
         "a weight of KL that rises from 0, beside a constant one"),
        ("F28", "linear_kl", [*one, *linear] if linear else [], "test_kl", f"KL ({NATS})",
         "a weight of KL that rises from 0, beside a constant one"),
        ("beta = 0", "zero_reconstruction", [*none, *widest] if none else [], "test_reconstruction", term,
         "no weight on KL, with a sample and with the mean as latent code, beside the autoencoder of the same size"),
    ]  # fmt: skip
    found = []
    for title, name, shown, column, label, what in charts:
        if shown:
            path, log = f"figures/vae/{name}_{data}.png", name == "linear_kl"
            figures.curves(out / path, lines(results, shown, column), label, log=log)
            words = f"{what}; {label}{', logarithmic scale' if log else ''}"
            found.append({"path": path, "title": title, "data": data, "words": words, "about": about(shown)})
    return found

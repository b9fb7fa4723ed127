"""The convolutional autoencoders: plain ones of three sizes, variational ones, the weight of KL and its schedule."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.report import autoencoders, figures
from pipeline.report.autoencoders import NATS, lines
from pipeline.report.beta_vae import rules
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.reported import Reported
from pipeline.report.results import Results, about, data, settings
from pipeline.runtime.plan import Plan

NETWORKS = ("conv32",)
SIZES = {16: "ae_16", 128: "ae_128", 1024: "ae_1024"}  # the runs that claims compare, as in reported.yaml
BETAS = {0.8: "beta_0_8", 1: "beta_1", 1.2: "beta_1_2"}
WIDE = SIZES[1024]
TABLE = {"beta 0.8": "003-beta-0.8", "beta 1": "003-vae", "beta 1.2": "003-beta-1.2", "linear beta": "003-linear-beta"}
"""Columns of report 003's two tables, and how its rows in reported.yaml begin."""


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks, each data set by itself."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    samples = autoencoders.scored_samples(results, NETWORKS)
    sets: dict[str, list[Plan]] = {}
    for plan in trained:
        sets.setdefault(data(plan), []).append(plan)
    values = {
        "settings": settings(trained),
        "scores": metrics,
        "samples": samples,
        "table": [_row(results, reported, name, row) for name, row in TABLE.items()],
        "charts": [chart for name, plans in sets.items() for chart in _charts(results, name, plans, out)],
        "pictures": [autoencoders.decoded(results, plan, out, _item(results.settings(plan))) for plan in scored],
    }
    headlines = {
        f"vae.{run}.{key}": found["mean"][key]
        for run, found in metrics.items()
        for key in ("reconstruction", "kl")
        if key in found["mean"]
    }
    return Content(values, headlines, _claims(results, reported, trained, metrics, samples))


def _claims(
    results: Results, reported: Reported, trained: Sequence[Plan], metrics: dict[str, Any], samples: dict[str, Any]
) -> list[Claim]:
    """Test C70 to C76 on the runs that have finished."""
    lengths = [autoencoders.length(results, plan) for plan in trained]
    test = partial(assess, reported, facts=lengths, data=next(iter(map(data, trained)), ""))

    def of(run: str, *keys: str, where: dict[str, Any] = metrics) -> dict[str, Any]:
        """Return one entry of the scores of a run by seed, where it was measured."""
        found = where.get(run, {"seeds": {}})["seeds"]
        for key in keys:
            found = {seed: at[key] for seed, at in found.items() if key in at}
        return dict(found)

    def by_beta(*keys: str) -> dict[str, dict[float, Any]]:
        return per_seed({beta: of(run, *keys) for beta, run in BETAS.items()})

    distance = partial(of, where=samples)
    return [
        test("C70", rules.sizes, per_seed({"error": per_seed({n: of(r, "reconstruction") for n, r in SIZES.items()})})),
        test("C71", rules.weights, per_seed({"reconstruction": by_beta("reconstruction"), "kl": by_beta("kl")})),
        test("C72", rules.sharper, per_seed({
            "low": of(BETAS[0.8], "samples", where=samples), "high": of(BETAS[1.2], "samples", where=samples),
        })),
        test("C73", rules.weightless, per_seed({
            "autoencoder": of(WIDE, "reconstruction"), "mean": of("beta_0_mean", "reconstruction"),
            "sample": of("beta_0", "reconstruction"),
        })),
        test("C74", rules.schedule, per_seed({
            name: {seed: at for seed, at in of(run).items() if "kl" in at}
            for name, run in (("constant", BETAS[1]), ("linear", "beta_linear"))
        })),
        test("C75", rules.unsampled, per_seed({
            "autoencoder": distance(WIDE, "samples", "frechet_distance"),
            "variational": distance(BETAS[1], "samples", "frechet_distance"),
        })),
        test("C76", rules.units, per_seed({"active": by_beta("active_units", "kl")})),
    ]  # fmt: skip


def _row(results: Results, reported: Reported, name: str, row: str) -> dict[str, Any]:
    rows = {term: reported.row(f"{row}-{term}") for term in ("reconstruction", "kl")}
    return {"name": name, **{key: (line.value, results.find(line.ours)) for key, line in rows.items()}}


def _item(settings: dict[str, Any]) -> str:
    """Return the figure of report 003 that shows reconstructions and samples of such a run, nothing if none does."""
    if settings["posterior"] == "deterministic":
        return "F25"
    if settings["beta_schedule"] == "linear":
        return "F28"
    return {1.0: "F26", 0.0: ""}.get(settings["beta"], "F27")


def _charts(results: Results, data: str, plans: Sequence[Plan], out: Path) -> list[dict[str, Any]]:
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


CHAPTER = Chapter("beta_vae", autoencoders.READS, ("H",), write)

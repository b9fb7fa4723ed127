"""The convolutional autoencoders: plain ones of three sizes, variational ones, the weight of KL and its schedule."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.report import autoencoders
from pipeline.report.beta_vae import figures, rules
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.reported import Reported
from pipeline.report.results import Results, data
from pipeline.runtime.plan import Plan

NETWORKS = ("conv32",)
SIZES = {16: "ae_16", 128: "ae_128", 1024: "ae_1024"}  # the runs that claims compare, as in reported.yaml
BETAS = {0.8: "beta_0_8", 1: "beta_1", 1.2: "beta_1_2"}
WIDE = SIZES[1024]
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
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    samples = autoencoders.scored_samples(results, NETWORKS)
    sets: dict[str, list[Plan]] = {}
    for plan in trained:
        sets.setdefault(data(plan), []).append(plan)
    values = {
        "settings": autoencoders.settings(trained),
        "scores": metrics,
        "samples": samples,
        "table": [_row(results, reported, name, row) for name, row in TABLE.items()],
        "charts": [chart for name, plans in sets.items() for chart in figures.charts(results, name, plans, out)],
        "pictures": [autoencoders.decoded(results, plan, out, figures.item(results.settings(plan))) for plan in scored],
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
        test("C74", rules.schedule, per_seed({"constant": of(BETAS[1]), "linear": of("beta_linear")})),
        test("C75", rules.unsampled, per_seed({
            "autoencoder": distance(WIDE, "samples", "frechet_distance"),
            "variational": distance(BETAS[1], "samples", "frechet_distance"),
        })),
        test("C76", rules.units, per_seed({"active": by_beta("active_units", "kl")})),
    ]  # fmt: skip


def _row(results: Results, reported: Reported, name: str, row: str) -> dict[str, Any]:
    rows = {term: reported.row(f"{row}-{term}") for term in ("reconstruction", "kl")}
    return {"name": name, **{key: (line.value, results.find(line.ours)) for key, line in rows.items()}}


CHAPTER = Chapter("beta_vae", autoencoders.READS, ("H",), write)

"""The convolutional autoencoders: plain ones of three sizes, variational ones, the weight of KL and its schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.report import autoencoders, figures
from pipeline.report.autoencoders import NATS, lines
from pipeline.report.beta_vae import rules
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.marks import marks
from pipeline.report.reported import Reported
from pipeline.report.results import Results, about, data, settings
from pipeline.runtime.plan import Plan

NETWORKS = ("conv32",)
BETA = (0.8, 1.2)  # the least and the largest weight of report 003
DATA = "cifar10"  # of report 003
COLUMNS = {"beta_0_8": "beta 0.8", "beta_1": "beta 1", "beta_1_2": "beta 1.2", "beta_linear": "linear beta"}
"""Runs in the columns of report 003's two tables."""
TABLE = {"beta_0_8": "003-beta-0.8", "beta_1": "003-vae", "beta_1_2": "003-beta-1.2", "beta_linear": "003-linear-beta"}
"""How the rows of these runs in reported.yaml begin."""
TERMS = {"test_reconstruction": "reconstruction", "test_kl": "kl"}
"""How they end, by the column of our histories."""


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks, each data set by itself."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    samples = autoencoders.scored_samples(results, NETWORKS)
    sets: dict[str, list[Plan]] = {}
    for plan in trained:
        sets.setdefault(data(plan), []).append(plan)
    charts = [chart for name, plans in sets.items() for chart in _charts(results, reported, name, plans, out)]
    values = {
        "settings": settings(trained),
        "scores": metrics,
        "samples": samples,
        "table": [_row(results, reported, name, TABLE[run]) for run, name in COLUMNS.items()],
        "charts": charts,
        "compared": list(TABLE),
        "hardly_nearer": autoencoders.hardly_nearer(results, reported, NETWORKS),
        "pictures": [autoencoders.decoded(results, plan, out, _item(results.settings(plan))) for plan in scored],
    }
    headlines = {
        f"vae.{run}.{key}": found["mean"][key]
        for run, found in metrics.items()
        for key in ("reconstruction", "kl")
        if key in found["mean"]
    }
    sources = {chart["path"]: chart["plans"] for chart in charts} | autoencoders.sources(scored)
    return Content(values, headlines, _claims(results, reported, trained, metrics, samples), sources)


@dataclass(frozen=True)
class Roles:
    """The runs that claims compare, by what they are: alike but for latent size, posterior and weight of KL.

    Args:
        sizes: Plain autoencoders by latent size.
        betas: Variational ones with a constant weight of KL above zero, by that weight.
        linear: The one whose weight rises to 1.
        mean: At beta = 0, with the mean as latent code.
        sample: At beta = 0, with a sample.
        wide: The plain one of the latent size of the variational ones.
    """

    sizes: Mapping[int, str]
    betas: Mapping[float, str]
    linear: str = ""
    mean: str = ""
    sample: str = ""
    wide: str = ""


def roles(plans: Sequence[Plan]) -> tuple[Roles, list[Plan]]:
    """Tell by their settings which runs the claims compare, and return them.

    They are those on the report's data if there are any, else those of the set with most runs; where two have one role,
    the first has it.
    """
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        alike = {key: plan.settings[key] for key in ("network", "hidden", "epochs", "batch", "learning_rate")}
        groups.setdefault(repr((data(plan), alike)), []).append(plan)
    group = max(groups.values(), key=lambda each: (data(each[0]) == DATA, len(each)), default=[])
    sizes: dict[int, str] = {}
    betas: dict[float, str] = {}
    named: dict[str, str] = {}
    latents: list[int] = []
    for plan in group:
        known = plan.settings
        if known["posterior"] == "deterministic":
            sizes.setdefault(known["latent"], plan.run)
            continue
        latents.append(known["latent"])
        if known["posterior"] == "mean":
            named.setdefault("mean", plan.run)
        elif known["beta_schedule"] == "linear":
            named.setdefault("linear", plan.run)
        elif known["beta"] == 0:
            named.setdefault("sample", plan.run)
        else:
            betas.setdefault(known["beta"], plan.run)
    wide = sizes.get(max(latents, default=0), "")
    return Roles(dict(sorted(sizes.items())), dict(sorted(betas.items())), wide=wide, **named), group


def _claims(
    results: Results, reported: Reported, trained: Sequence[Plan], metrics: dict[str, Any], samples: dict[str, Any]
) -> list[Claim]:
    """Test C70 to C76 on the runs that have finished."""
    runs, group = roles(trained)
    facts = [{"data": data(plan), **autoencoders.length(results, plan)} for plan in group]
    test = partial(assess, reported, facts=facts, data=next(iter(map(data, group)), ""), wide=runs.wide)

    def of(run: str, *keys: str, where: dict[str, Any] = metrics) -> dict[str, Any]:
        """Return one entry of the scores of a run by seed, where it was measured."""
        found = where.get(run, {"seeds": {}})["seeds"]
        for key in keys:
            found = {seed: at[key] for seed, at in found.items() if key in at}
        return dict(found)

    def by_beta(*keys: str) -> dict[str, dict[float, Any]]:
        return per_seed({beta: of(run, *keys) for beta, run in runs.betas.items()}) if len(runs.betas) > 1 else {}

    def by_size() -> dict[str, dict[int, Any]]:
        return per_seed({size: of(run, "reconstruction") for size, run in runs.sizes.items()})

    distance, (least, most) = partial(of, where=samples), (runs.betas.get(beta, "") for beta in BETA)
    one = runs.betas.get(1, "")
    return [
        test("C70", rules.sizes, per_seed({"error": by_size() if len(runs.sizes) > 1 else {}})),
        test("C71", rules.weights, per_seed({"reconstruction": by_beta("reconstruction"), "kl": by_beta("kl")})),
        test("C72", rules.sharper, per_seed({"low": distance(least, "samples"), "high": distance(most, "samples")}),
             low=least),
        test("C73", rules.weightless, per_seed({
            "autoencoder": of(runs.wide, "reconstruction"), "mean": of(runs.mean, "reconstruction"),
            "sample": of(runs.sample, "reconstruction"),
        })),
        test("C74", rules.schedule, per_seed({
            name: {seed: at for seed, at in of(run).items() if "kl" in at}
            for name, run in (("constant", one), ("linear", runs.linear))
        })),
        test("C75", rules.unsampled, per_seed({
            "autoencoder": distance(runs.wide, "samples", "frechet_distance"),
            "variational": distance(one, "samples", "frechet_distance"),
        })),
        test("C76", rules.units, per_seed({"active": by_beta("active_units")})),
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
    return {1.0: "F26", **dict.fromkeys(BETA, "F27")}.get(settings["beta"], "")


def _charts(results: Results, reported: Reported, data: str, plans: Sequence[Plan], out: Path) -> list[dict[str, Any]]:
    """Plot the learning curves of the runs on one data set, grouped as report 003 groups them."""
    plain = [plan for plan in plans if plan.settings["posterior"] == "deterministic"]
    variational = [plan for plan in plans if plan.settings["posterior"] == "gaussian"]
    fixed = [plan for plan in variational if plan.settings["beta_schedule"] == "constant" and plan.settings["beta"]]
    linear = [plan for plan in variational if plan.settings["beta_schedule"] == "linear"]
    one = [plan for plan in fixed if plan.settings["beta"] == 1]
    none = [plan for plan in plans if plan.settings["beta"] == 0]
    widest = [plan for plan in plain if none and plan.settings["latent"] == none[0].settings["latent"]]
    term = "squared error, sum over pixels in [-1, 1]"
    betas = " and ".join(sorted({_item(results.settings(plan)) for plan in fixed} - {""}))
    charts = [
        ("F25", "ae_reconstruction", plain, "test_reconstruction", term,
         "squared error of autoencoders with several latent sizes"),
        (betas, "beta_reconstruction", fixed, "test_reconstruction", term,
         "squared error under constant weights of KL"),
        (betas, "beta_kl", fixed, "test_kl", f"KL ({NATS})", "KL under constant weights of it"),
        ("F28", "linear_reconstruction", [*one, *linear] if linear else [], "test_reconstruction", term,
         "squared error under a weight of KL that rises from 0, beside weight 1"),
        ("F28", "linear_kl", [*one, *linear] if linear else [], "test_kl", f"KL ({NATS})",
         "KL under a weight that rises from 0, beside weight 1"),
        ("beta = 0", "zero_reconstruction", [*none, *widest] if none else [], "test_reconstruction", term,
         "squared error with a sample or the mean as latent code, beside the plain autoencoder of that size"),
    ]  # fmt: skip
    found = []
    for title, name, shown, column, label, what in charts:
        if shown:
            path, log = f"figures/vae/{name}_{data}.png", name == "linear_kl"
            theirs = [f"{TABLE[plan.run]}-{TERMS[column]}" for plan in shown if plan.run in TABLE]
            every = [*lines(results, shown, column), *marks(results, reported, theirs, "epochs")]
            figures.curves(out / path, every, label, log=log)
            words = f"{what}{', logarithmic scale' if log else ''}"
            found.append(
                {"path": path, "title": title, "data": data, "words": words, "about": about(shown), "plans": shown}
            )
    return found


CHAPTER = Chapter("beta_vae", autoencoders.READS, ("H",), write)

"""Planar flows: likelihoods beside the reports', learned densities, samples, both constraints, and single layers."""

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.flow import figures, rules
from pipeline.report.flow.figures import WORDS, depth, printed
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

SHALLOW = 2  # layers of the report's shallowest flow
DEFAULT = 0.01  # standard deviation of default parameters


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show the finished runs of the family with the densities and constraints of the shallowest, which comes first."""
    every = results.plans("score_flow")
    scored, trained = (_first(results, plans) for plans in (every, results.plans("train_flow")))
    (scored, apart), (trained, _) = _alike(results, scored), _alike(results, trained)
    metrics = {depth(results, plan): results.metrics(plan) for plan in scored}
    densities = next(iter(metrics.values()))["protocol"]["densities"] if metrics else []
    values: dict[str, Any] = {
        "apart": apart,
        "runs": [plan.run for plan in scored],
        "settings": trained[0].settings if trained else None,
        "scores": metrics,
        "densities": densities,
        "others": [plan.run for plan in every if plan not in scored and plan.run not in apart],
        "words": WORDS,
        "printed": {plan.settings["depth"]: _last(results, plan) for plan in trained},
        "theirs": {
            density: {k: row.value for k in metrics if (row := printed(reported, density, k))} for density in densities
        },
        "curves": [figures.curves(results, reported, plan, out) for plan in trained[:1]],
        "steps": results.settings(scored[0])["steps"] if scored else 0,
        "samples": results.array(scored[0], "samples").shape[2] if scored else 0,
        "layers": [figures.layers(results, plan, out) for plan in results.plans("planar")],
    }
    for number, name in enumerate(densities):
        figures.learned(results, scored, number, out / f"figures/flow/densities_{name}.png")
        figures.samples(results, scored, number, out / f"figures/flow/samples_{name}.png")
    headlines = {
        f"flow.k{k}.{constraint}.{mode}.{density}.{key}": score["mean"][constraint][mode][density][key]
        for k, score in metrics.items()
        for constraint in score["mean"]
        for mode, key in (("samples", "nll"), ("density", "loss"))
        for density in densities
    }
    sources: dict[str, list[Plan]] = {curve["path"]: trained[:1] for curve in values["curves"]}
    for name, kind in product(densities, ("densities", "samples")):
        sources[f"figures/flow/{kind}_{name}.png"] = scored
    for plan, name in product(results.plans("planar"), ("transforms", "operations")):
        sources[f"figures/flow/{plan.run}/{name}.png"] = [plan]
    return Content(values, headlines, _claims(results, reported, scored, metrics), sources)


def _first(results: Results, plans: Sequence[Plan]) -> list[Plan]:
    """Return the first run of each depth, the shallowest first: with two of a depth there is no series of depths."""
    first: dict[int, Plan] = {}
    for plan in plans:
        first.setdefault(depth(results, plan), plan)
    return [first[k] for k in sorted(first)]


def _alike(results: Results, plans: Sequence[Plan]) -> tuple[list[Plan], list[str]]:
    """Return the plans with the densities and constraints of the first one, and the names of the other runs."""
    kinds = [[results.settings(plan)[key] for key in ("densities", "constraints")] for plan in plans]
    alike = [plan for plan, kind in zip(plans, kinds, strict=True) if kind == kinds[0]]
    return alike, [plan.run for plan in plans if plan not in alike]


def _claims(results: Results, reported: Reported, scored: Sequence[Plan], metrics: dict[int, Any]) -> list[Claim]:
    """Test C50 to C56 and C58 on the runs that have finished; C54 and C55 under the constraint of the reports."""
    planar = {plan.run: results.metrics(plan) for plan in results.plans("planar")}
    single = next(iter(planar.values()), {})
    layers = [(*layer["distribution"], layer) for layer in single.get("layers", {}).values()]
    default = [{"displacement": layer["displacement"]} for _, std, layer in layers if std == DEFAULT]
    by_seed = per_seed({k: score["seeds"] for k, score in metrics.items()})
    shallow = metrics.get(SHALLOW, {"seeds": {}})["seeds"]
    integrals = {
        seed: [at["integral"] for flows in ks.values() for modes in flows.values() for at in modes["samples"].values()]
        for seed, ks in by_seed.items()
    }

    def by_depth(mode: str, key: str) -> dict[str, dict[str, list[float]]]:
        """Return one score by seed and density, from the shallowest flow to the deepest."""
        found: dict[str, dict[str, list[float]]] = {}
        for seed, ks in by_seed.items():
            for flows in ks.values():
                for density, at in flows["in_place"][mode].items() if "in_place" in flows else ():
                    found.setdefault(seed, {}).setdefault(density, []).append(at[key])
        return found

    nll, loss = by_depth("samples", "test_nll"), by_depth("density", "loss")
    energy = by_depth("density", "energy_distance")
    depths = dict.fromkeys(by_seed, ", ".join(map(str, metrics)))
    arcs = {
        seed: {name: modes["samples"]["arcs"]["test_nll"] for name, modes in at.items()}
        for seed, at in shallow.items()
        if {"smooth", "in_place"} <= at.keys() and "arcs" in at["smooth"]["samples"]
    }
    facts = [{"steps": results.settings(plan)["steps"]} for plan in scored]
    shallowest = scored[0].run if scored else ""
    test = partial(assess, reported, facts=facts, layers=next(iter(planar), ""), shallow=shallowest)
    parted = [(std, layer["silhouette"]) for _, std, layer in layers]
    return [
        test("C50", rules.determinant, {"": {"errors": single["jacobian"]}} if single else {}),
        test("C51", rules.operations, {"": single["exponents"]} if single else {}),
        test("C52", rules.groups, {"0": {"layers": parted}} if layers else {}),
        test("C53", rules.default, {"0": default[-1]} if default else {}),
        test("C54", rules.deeper, per_seed({"nll": nll, "depths": depths})),
        test("C55", rules.nearer, per_seed({"loss": loss, "energy": energy, "depths": depths})),
        test("C56", rules.integral, per_seed({"integrals": integrals})),
        test("C58", rules.constraint, arcs),
    ]


def _last(results: Results, plan: Plan) -> dict[str, tuple[float, float | None]]:
    """Return mean and spread over seeds of the last training loss of every flow of a run."""
    settings = plan.settings
    names = [f"{density}_samples_{name}" for density in settings["densities"] for name in settings["constraints"]]
    rows = {name: results.curve(plan, name).iloc[-1] for name in names}
    return {name: (float(row.mean()), float(row.std()) if len(row) > 1 else None) for name, row in rows.items()}


CHAPTER = Chapter(
    "flow",
    {
        "train_flow": ("history.csv",),
        "score_flow": ("metrics.json", "targets.npy", "densities.npy", "samples.npy"),
        "planar": ("metrics.json", "points.npy", "moved.npy"),
    },
    ("F",),
    write,
)

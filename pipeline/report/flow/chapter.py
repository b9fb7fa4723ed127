"""Planar flows: likelihoods beside the reports', learned densities, samples, both constraints, and single layers."""

from collections.abc import Sequence
from functools import partial
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
    """Show every finished run of the family, the shallowest first."""
    scored, trained = (
        sorted(results.plans(stage), key=partial(depth, results)) for stage in ("score_flow", "train_flow")
    )
    metrics = {depth(results, plan): results.metrics(plan) for plan in scored}
    densities = next(iter(metrics.values()))["protocol"]["densities"] if metrics else []
    values: dict[str, Any] = {
        "settings": trained[0].settings if trained else None,
        "scores": metrics,
        "densities": densities,
        "words": WORDS,
        "printed": {plan.settings["depth"]: _last(results, plan) for plan in trained},
        "theirs": {
            density: {k: row.value for k in metrics if (row := printed(reported, density, k))} for density in densities
        },
        "curves": [figures.curves(results, reported, plan, out) for plan in trained[:1]],
        "learned": [figures.learned(results, scored, number, name, out) for number, name in enumerate(densities)],
        "samples": [figures.samples(results, scored, number, name, out) for number, name in enumerate(densities)],
        "layers": [figures.layers(results, plan, out) for plan in results.plans("planar")],
    }
    headlines = {
        f"flow.k{k}.{constraint}.{mode}.{density}.{key}": score["mean"][constraint][mode][density][key]
        for k, score in metrics.items()
        for constraint in score["mean"]
        for mode, key in (("samples", "nll"), ("density", "loss"))
        for density in densities
    }
    return Content(values, headlines, _claims(results, reported, scored, metrics))


def _claims(results: Results, reported: Reported, scored: Sequence[Plan], metrics: dict[int, Any]) -> list[Claim]:
    """Test C50 to C56 and C58 on the runs that have finished."""
    planar = {plan.run: results.metrics(plan) for plan in results.plans("planar")}
    single = next(iter(planar.values()), {})
    layers = [(layer["distribution"][1], layer) for layer in single.get("layers", {}).values()]
    default = {"0": {"displacement": layer["displacement"]} for deviation, layer in layers if deviation == DEFAULT}
    facts = [{"steps": results.settings(plan)["steps"]} for plan in scored]
    places = {"layers": next(iter(planar), ""), "shallow": scored[0].run if scored else ""}
    test = partial(assess, reported, facts=facts, **places)

    def numbers(mode: str, key: str, constraint: str = "in_place") -> dict[str, dict[int, dict[str, float]]]:
        """Return one score by density, depth and seed under the constraint that the reports used."""
        return {
            density: {
                k: {s: at[constraint][mode][density][key] for s, at in score["seeds"].items() if constraint in at}
                for k, score in metrics.items()
            }
            for score in list(metrics.values())[:1]
            for density in score["protocol"]["densities"]
        }

    def by_depth(mode: str, key: str) -> dict[str, dict[str, list[float]]]:
        """Return the same by seed and density, from the shallowest flow to the deepest."""
        found = per_seed({density: per_seed(depths) for density, depths in numbers(mode, key).items()})
        return {seed: {name: list(depths.values()) for name, depths in at.items()} for seed, at in found.items()}

    depths = dict.fromkeys(by_depth("samples", "test_nll"), ", ".join(map(str, metrics)))
    shallow = {
        name: numbers("samples", "test_nll", name).get("arcs", {}).get(SHALLOW, {}) for name in ("smooth", "in_place")
    }
    integrals: dict[str, list[float]] = {}
    for score in metrics.values():
        for seed, constraints in score["seeds"].items():
            found = [at["integral"] for modes in constraints.values() for at in modes["samples"].values()]
            integrals.setdefault(seed, []).extend(found)
    parted = [(deviation, layer["silhouette"]) for deviation, layer in layers]
    deeper = {"nll": by_depth("samples", "test_nll"), "depths": depths}
    nearer = {"loss": by_depth("density", "loss"), "energy": by_depth("density", "energy_distance"), "depths": depths}
    return [
        test("C50", rules.determinant, {"": {"errors": single["jacobian"]}} if single else {}),
        test("C51", rules.operations, {"": single["exponents"]} if single else {}),
        test("C52", rules.groups, {"0": {"layers": parted}} if layers else {}),
        test("C53", rules.default, default),
        test("C54", rules.deeper, per_seed(deeper)),
        test("C55", rules.nearer, per_seed(nearer)),
        test("C56", rules.integral, per_seed({"integrals": integrals})),
        test("C58", rules.constraint, per_seed(shallow)),
    ]


def _last(results: Results, plan: Plan) -> dict[str, tuple[float, float | None]]:
    """Return mean and spread over seeds of the last training loss of every flow of a run."""
    last = {}
    for density in plan.settings["densities"]:
        for constraint in plan.settings["constraints"]:
            row = results.curve(plan, f"{density}_samples_{constraint}").iloc[-1]
            spread = float(row.std()) if len(row) > 1 else None
            last[f"{density}_samples_{constraint}"] = (float(row.mean()), spread)
    return last


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

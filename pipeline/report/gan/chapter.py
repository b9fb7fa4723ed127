"""Generative adversarial networks: scores with their protocols, metric against distance, samples, latent studies."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from pipeline.gan import operations
from pipeline.gan.settings import Training
from pipeline.report import style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import FEWEST, Claim, assess, per_seed
from pipeline.report.evaluators import COVERED, blind, covered, least
from pipeline.report.gan import figures, rules
from pipeline.report.gan.figures import Scored
from pipeline.report.gan.rules import Seed
from pipeline.report.reported import Reported
from pipeline.report.results import Results, settings
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import build

OBJECTIVE = (
    "loss", "penalty", "penalty_weight", "penalty_interval", "penalty_points", "r1_axis", "spectral_norm", "seeds",
)  # fmt: skip
"""Settings that make the games which are compared, and the seeds."""
OUTPUTS = (-6.0, 3.0, 6.0)  # of a critic for a fake that it rejects, and for two that it accepts


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family."""
    scored = {plan.run: plan for plan in results.plans("score_gan")}
    trained = [plan for plan in results.plans("train_gan") if plan.run in scored]
    runs = [
        Scored(plan, scored[plan.run], results.metrics(scored[plan.run]), style.marked(number))
        for number, plan in enumerate(trained)
    ]
    evaluators = {run.name: run.evaluator for run in runs}
    seeds = {run.name: _seeds(results, run) for run in runs}
    unlike = [_unlike([run for run in runs if run.name in names]) for names in (rules.GRID, rules.CUB)]
    facts = {run.name: _facts(results, run, seeds[run.name]) for run in runs}
    values = {
        "settings": settings([run.train for run in runs]),
        "scores": {run.name: run.metrics for run in runs},
        "evaluators": {
            plan.run: results.metrics(plan) for plan in results.plans("score_real") if plan.run in evaluators.values()
        },
        "evaluator": evaluators,
        "game": {run.name: run.game for run in runs},
        "relations": {run.name: _relation(run, seeds[run.name]) for run in runs},
        "saturated": rules.SATURATED,
        "hardly_nearer": {name: known[COVERED] for name, known in facts.items() if known[COVERED] < least(reported)},
        "blind": blind(results, evaluators.values()),
        "fewest": FEWEST,
        "unlike": {names: keys for names, keys in unlike if keys},
        "sheets": {run.name: figures.sheets(results, run, out) for run in runs},
        "weights": figures.WEIGHTS,
    }
    if runs:
        figures.charts(results, reported, runs, out)
    headlines = {
        f"gan.{run.name}.{key}": run.metrics["mean"]["final"][key]
        for run in runs
        for key in ("frechet_distance", "inception_score")
    }
    claims = _claims(results, reported, {run.name: run for run in runs}, seeds, facts)
    return Content(values, headlines, claims, figures.sources(runs))


def _claims(
    results: Results,
    reported: Reported,
    runs: Mapping[str, Scored],
    seeds: Mapping[str, Mapping[str, Seed]],
    facts: Mapping[str, Mapping[str, Any]],
) -> list[Claim]:
    """Test C10 to C17, C40 to C47, C60 to C67 and C83 to C85 on the runs that have finished."""
    test = partial(assess, reported)
    averaged = tuple(name for name in rules.GRID if name in runs and runs[name].train.settings["ema_decay"] > 0)
    compared = []
    for name, (rule, asked) in {**rules.RULES, "C46": (rules.average, averaged)}.items():
        known = [facts[run] for run in asked if run in facts]
        # among runs that are compared some may fail, which is the finding, but not all of them
        best = max((each[COVERED] for each in known), default=0)
        claimed = per_seed({run: seeds.get(run, {}) for run in asked})
        compared.append(test(name, rule, claimed, [{**each, COVERED: best} for each in known]))
    planned = {plan.run: plan for plan in results.planned if plan.stage == "train_gan"}
    counts = {name: _operations(results, planned[name]) for name in rules.GRID[:3] if name in planned}
    outputs = torch.tensor(OUTPUTS, requires_grad=True)
    gradients = {name: figures.gradient(name, outputs).tolist() for name in figures.LOSSES}
    return [
        *compared,
        test("C47", rules.speed, {"": counts} if len(counts) == 3 else {}),
        test("C63", rules.rejected, {"": gradients}),
        test("C64", rules.accepted, {"": gradients}),
    ]


def _unlike(runs: Sequence[Scored]) -> tuple[str, list[str]]:
    """Return the names of runs that claims compare, and settings that differ besides loss and regulariser."""
    known = [run.train.settings for run in runs]
    keys = [key for key in (known[0] if known else {}) if key not in OBJECTIVE]
    return ", ".join(run.name for run in runs), [k for k in keys if any(each[k] != known[0][k] for each in known)]


def _facts(results: Results, run: Scored, seeds: Mapping[str, Seed]) -> dict[str, Any]:
    """Return what is known of a run that a claim may need: its data, its lengths, and how far it has learned."""
    rows = [len(seed.curves["step"]) for seed in seeds.values()]
    per_epoch = (results.card(run.train) or {"counts": {"train": 0}})["counts"]["train"] / run.train.settings["batch"]
    return {
        "data": run.data,
        "width": run.train.settings["width"],
        "generator steps": run.train.settings["steps"],
        "stored generators": len(run.steps),
        "logged rows": min(rows),
        "logged rows in a pass over the data": round(per_epoch / run.train.settings["log_every"], 1),
        COVERED: covered(results, run.evaluator, [seed.distance for seed in seeds.values()]),
    }


def _operations(results: Results, plan: Plan) -> int:
    """Count the operations of a critic step of a planned training."""
    training = build(Training, Plan.read(results.root / plan.path).settings)
    return operations.critic_step(training.network, training.objective, training.schedule.batch)


def _seeds(results: Results, run: Scored) -> dict[str, Seed]:
    """Return what the run measured, seed by seed."""
    names = [name for name in results.columns(run.train) if name not in ("seed", "step")]
    curves = per_seed({name: results.by_seed(run.train, name) for name in names})
    steps = results.curve(run.train, names[0]).index.tolist()
    return {
        seed: Seed(scores, run.metrics["real"], {"step": steps, **curves[seed]}, run.metrics["protocol"])
        for seed, scores in run.metrics["seeds"].items()
    }


def _relation(run: Scored, seeds: Mapping[str, Seed]) -> dict[str, Any]:
    """Return how the run's own estimate moved with the distance of its stored generators, means over seeds."""
    each = list(seeds.values())
    return {
        "measure": run.measure,
        "estimates": run.estimates,
        "points": sum(step >= each[0].curves["step"][0] for step in run.steps),
        "correlation": fmean([rules.agreement(seed, f"test_{run.measure}") for seed in each]),
        "saturated": fmean([rules.saturated(seed) for seed in each]),
        "norm": [fmean([seed.curves[key][-1] for seed in each]) for key in ("gradient_norm", "gradient_norm_spread")],
    }


CHAPTER = Chapter(
    "gan",
    {
        "score_real": ("metrics.json",),
        "train_gan": ("history.csv",),
        "score_gan": ("metrics.json", "gradient_norms.npy", *(f"{name}.npy" for name in figures.ARRAYS)),
    },
    ("B", "E", "G", "I"),
    write,
)

"""What the report rests on: the trainings that repeat each experiment, beside how the reports ran it."""

from collections.abc import Iterable
from typing import Any

from pipeline.report.reported import Experiment, Reported
from pipeline.report.results import Results, data
from pipeline.runtime.plan import Plan

PLAYED = "dirac"  # a stage that trains and scores in one
ARCHITECTURE = ("network", "backbone", "hidden", "width", "latent")
LENGTH = {"epochs": "epochs", "steps": "steps", "batch": "images a batch"}


def scope(results: Results, reported: Reported, letters: Iterable[str]) -> list[dict[str, Any]]:
    """Return a row per experiment: its reports, and data, network and length of ours, with theirs where they differ."""
    return [_row(results, reported, letter) for letter in letters]


def _row(results: Results, reported: Reported, letter: str) -> dict[str, Any]:
    experiment, rows = reported.experiments[letter], [row for row in reported.rows if row.experiment == letter]
    named = dict.fromkeys((row.ours.stage, row.ours.run) for row in rows if row.ours and row.ours.run)
    planned = {(plan.stage, plan.run): plan for plan in results.planned}
    plans = list({plan.address: plan for key in named if (plan := _training(results, planned.get(key)))}.values())
    finished = [plan for plan in plans if (plan.stage, plan.run) in results.finished]
    theirs = {str(row.protocol["data"]): None for row in rows if isinstance(row.protocol.get("data"), str)}
    return {
        "letter": letter,
        "title": experiment.title,
        "reports": sorted({row.report for row in rows}),
        "theirs": list(theirs),
        "ours": list(dict.fromkeys(data(plan) for plan in finished if "data" in plan.inputs)),
        "network": [f"{key} {words}" for key in ARCHITECTURE if (words := _compared(experiment, finished, key))],
        "length": [
            f"{words} {unit}" for key, unit in LENGTH.items() if (words := _compared(experiment, finished, key))
        ],
        "runs": len(finished),
        "planned": len(plans),
        "seeds": max((len(plan.settings.get("seeds", [0])) for plan in finished), default=0),
    }


def _training(results: Results, plan: Plan | None) -> Plan | None:
    """Return the training that a stage is, or whose model it reads."""
    if plan is None or plan.stage == PLAYED or plan.stage.startswith("train_"):
        return plan
    model = plan.inputs.get("model")
    return next((other for other in results.planned if model and other.output == model), None)


def _compared(experiment: Experiment, plans: list[Plan], key: str) -> str:
    """Return the values that runs have of a setting; behind an arrow where none of them is the report's."""
    ours = list(dict.fromkeys(plan.settings[key] for plan in plans if key in plan.settings))
    theirs = experiment.settings.get(key)
    arrow = f"{_word(theirs)} → " if ours and theirs is not None and theirs not in ours else ""
    return arrow + " or ".join(map(_word, ours))


def _word(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)

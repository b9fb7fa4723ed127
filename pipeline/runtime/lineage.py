"""What an output depends on beyond the settings of its own stage: all that the stage reads, directly or not."""

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import flat

APART = ("data", "features")
"""Stages whose hyperparameters follow the name of their section, `data.train`: a network of a run may have the same."""

NOTES = ("mapped",)
"""Settings in which `plan` tells a stage about others; no hyperparameters, and of no effect on an output."""


def upstream(plan: Plan, plans: Iterable[Plan]) -> Iterator[Plan]:
    """Yield those of `plans` whose outputs a stage reads, directly or not."""
    writers = {each.output: each for each in plans}
    for folder in plan.inputs.values():
        if folder in writers:
            yield writers[folder]
            yield from upstream(writers[folder], writers.values())


def hyperparameters(plan: Plan, plans: Iterable[Plan]) -> dict[str, Any]:
    """Return all hyperparameters that the output of a stage depends on, by their names in params.yaml.

    Those of the training are among those of its scoring; data set and evaluator stand by their names.

    Args:
        plan: Plan of the stage.
        plans: All plans of the same params.yaml.
    """
    merged: dict[str, Any] = {}
    for each in (*reversed(list(upstream(plan, plans))), plan):
        prefix = f"{each.stage}." if each.stage in APART else ""
        merged |= {f"{prefix}{name}": value for name, value in flat(each.settings).items() if name not in NOTES}
        if not prefix:
            merged |= {name: folder.split("/")[-1] for name, folder in each.inputs.items() if name != "model"}
    return merged

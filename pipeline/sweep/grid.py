"""What a sweep is: combinations of values of hyperparameters, each an experiment, and the stages that they reach."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.config import params
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan

Overrides = dict[str, str]
"""Values by the path of their hyperparameter, `gan.penalty`, as they stand in a YAML file."""


@dataclass(frozen=True)
class Sweep:
    """Experiments that are checked and can be queued.

    Args:
        experiments: What each overrides, by its name.
        targets: Stages of DVC that score what differs between them.
        before: Stages that these need and that are the same for all.
        swept: Names of the hyperparameters that differ, without those of their sections.
    """

    experiments: dict[str, Overrides]
    targets: list[str]
    before: list[str]
    swept: list[str]


def combinations(text: str) -> list[Overrides]:
    """Return every combination of `gan.penalty=none,r1 gan.batch=32,64`; commas inside brackets separate nothing.

    Raises:
        UserError: If a part of it is not `key=value,value`.
    """
    axes: list[list[tuple[str, str]]] = []
    for part in text.split():
        key, _, values = part.partition("=")
        split = [value for value in re.split(r",(?![^\[{]*[\]}])", values) if value]
        if not re.fullmatch(r"\w+(\.\w+)+", key) or not split:
            raise UserError(f"{part}: a hyperparameter and its values are needed, such as gan.penalty=none,r1.")
        axes.append([(key, value) for value in split])
    if not axes:
        raise UserError("nothing to sweep: name a hyperparameter and its values, such as gan.penalty=none,r1.")
    return [dict(combination) for combination in product(*axes)]


def plan(base: Any, swept: Sequence[Overrides], seeds: Sequence[int] = ()) -> Sweep:
    """Check every experiment as the stage `plan` would, and find out what they reach.

    Args:
        base: Content of params.yaml.
        swept: What each experiment overrides.
        seeds: Seeds of the trainings that it reaches; without any, their own.

    Raises:
        UserError: If an experiment cannot be run, with the reasons; or if all of them are the same.
    """
    plans = {_name(overrides): _expand(base, overrides) for overrides in swept}
    reached = _reached(list(plans.values()))
    if not reached:
        raise UserError("these experiments do not differ: no run uses what is swept, or each sets its own value.")
    trainings = _trainings(plans, reached)
    own = {f"{family}.runs.{run}.seeds": f"[{','.join(map(str, seeds))}]" for family, run in trainings if seeds}
    experiments = {_name(overrides): {**overrides, **own} for overrides in swept}
    for overrides in experiments.values():
        _expand(base, overrides)
    every = {each.output: each for expanded in plans.values() for each in expanded}
    needed = {folder for each in every.values() if each.address in reached for folder in each.inputs.values()}
    targets = sorted(each.address for each in every.values() if each.address in reached and _scores(each))
    same = sorted(every[folder].address for folder in needed if every[folder].address not in reached)
    before = [address for address in same if not own or address.split("@")[0] in ("data", "features")]
    names = dict.fromkeys(key.rpartition(".")[2] for overrides in swept for key in overrides)
    return Sweep(experiments, targets or sorted(reached), before, list(names))


def _name(overrides: Overrides) -> str:
    """Return a name that git and DVC take: `penalty-r1_batch-64`."""
    parts = [f"{key.rpartition('.')[2]}-{value}" for key, value in overrides.items()]
    return re.sub(r"[^\w.-]+", "-", "_".join(parts)).strip("-.")


def _expand(base: Any, overrides: Overrides) -> list[Plan]:
    content = deepcopy(base)
    for key, text in overrides.items():
        *path, last = key.split(".")
        place = content
        for name in path:
            place = place.get(name) if isinstance(place, Mapping) else None
        if not isinstance(place, dict):
            raise UserError(f"{key}: no such key in params.yaml.")
        place[last] = _value(text)
    try:
        return params.expand(content)
    except UserError as error:
        said = ", ".join(f"{key}={value}" for key, value in overrides.items())
        raise UserError(f"with {said}, {error}") from None


def _value(text: str) -> Any:
    """Read a value by the rules of params.yaml."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return text


def _reached(variants: Sequence[list[Plan]]) -> set[str]:
    """Return the stages whose plan, or something that they read, is not the same in all variants."""
    texts: dict[str, set[str]] = {}
    for expanded in variants:
        for each in expanded:
            texts.setdefault(each.address, set()).add(each.text())
    reached = {address for address, found in texts.items() if len(found) > 1}
    every = [each for expanded in variants for each in expanded]
    writers = {each.output: each.address for each in every}
    while more := {e.address for e in every if {writers.get(f) for f in e.inputs.values()} & reached} - reached:
        reached |= more
    return reached


def _trainings(plans: Mapping[str, list[Plan]], reached: set[str]) -> list[tuple[str, str]]:
    """Return family and run of the trainings behind what is reached, where a training has seeds."""
    every = {each.output: each for expanded in plans.values() for each in expanded}
    models = {folder for each in every.values() if each.address in reached for folder in each.inputs.values()}
    models |= {output for output, each in every.items() if each.address in reached}
    found = {folder for folder in models if folder in every and every[folder].stage.startswith("train_")}
    return sorted((folder.split("/")[1], every[folder].run) for folder in found)


def _scores(plan: Plan) -> bool:
    return plan.output.startswith("scores/")

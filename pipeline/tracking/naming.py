"""The name of a run in MLflow: its stage, its run, and what differs from the committed params.yaml."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan
from pipeline.tracking import records

SHOWN = 3  # differences in a name; a name is read at a glance
EXPERIMENT, BASELINE = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"
"""Variables that DVC sets for the stages of an experiment."""


def name(plan: Plan, planned: Sequence[Plan], root: Path) -> str:
    """Return the name of a stage's run, `score main penalty=r1 [loath-lier]`.

    Args:
        plan: Plan of the stage.
        planned: All plans of the checkout.
        root: Root of the checkout, whose git repository has the params.yaml to compare with: that of the commit which
            an experiment of DVC starts from, else that of the last commit.
    """
    stage = plan.stage.removesuffix(f"_{records.family(plan)}")
    words = [stage] if plan.run == plan.stage else [stage, plan.run]
    experiment = os.environ.get(EXPERIMENT)
    return " ".join([*words, *_differences(plan, planned, root), *([f"[{experiment}]"] if experiment else [])])


def _differences(plan: Plan, planned: Sequence[Plan], root: Path) -> list[str]:
    """Return the hyperparameters that are not what they were, as `penalty=r1`; seeds are repetitions, and left out.

    What only follows from an edit of params.yaml, as the weight of a penalty from there being one, is left out too.
    """
    text, before = _committed(root)
    old = next((each for each in before if each.address == plan.address), None)
    if old is None:
        return []
    was, now = records.parameters(old, before), records.parameters(plan, planned)
    changed = {key: value for key, value in now.items() if key != "seeds" and was.get(key) != value}
    names = _edited(text, root) if changed else set()
    edited = {key: value for key, value in changed.items() if key.rpartition(".")[2] in names}
    words = [f"{key}={value}" for key, value in (edited or changed).items()]
    more = len(words) - SHOWN
    return words[:SHOWN] + ([f"+{more}"] if more > 0 else [])


def _committed(root: Path) -> tuple[str, list[Plan]]:
    """Return the committed params.yaml and its plans; none without git, or where this version cannot read that file."""
    revision = os.environ.get(BASELINE) or "HEAD"
    command = ["git", "-C", str(root), "show", f"{revision}:./params.yaml"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return text, _expanded(text)
    except (OSError, subprocess.CalledProcessError, UserError):
        return "", []


def _edited(text: str, root: Path) -> set[str]:
    """Return the names of the hyperparameters whose values in params.yaml are not those in `text`."""
    try:
        was, now = _leaves(_parsed(text)), _leaves(_parsed((root / "params.yaml").read_text()))
    except (OSError, UserError):
        return set()
    return {path[-1] for path in was.keys() | now.keys() if was.get(path) != now.get(path)}


@cache
def _expanded(text: str) -> list[Plan]:
    from pipeline.config import params  # schemas, which a stage does not load

    return params.expand(_parsed(text))


@cache
def _parsed(text: str) -> Any:
    """Return the content of a params.yaml, as DVC reads it."""
    from ruamel.yaml import YAML  # no stage loads it
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UserError(f"params.yaml: {error}") from None


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(tree, Mapping):
        return {path: tree}
    return {place: leaf for key, inner in tree.items() for place, leaf in _leaves(inner, (*path, str(key))).items()}

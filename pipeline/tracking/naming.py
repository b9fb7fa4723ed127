"""The name of a run in MLflow: its stage, its run, and what differs from the committed params.yaml."""

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.config import params
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
    return " ".join(
        [*words, *_differences(plan, planned, committed(root)), *([f"[{experiment}]"] if experiment else [])]
    )


def committed(root: Path) -> list[Plan]:
    """Return the plans of the committed params.yaml; none without git, or where this version cannot read that file."""
    revision = os.environ.get(BASELINE) or "HEAD"
    command = ["git", "-C", str(root), "show", f"{revision}:./params.yaml"]
    try:
        return _expanded(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError, YAMLError, UserError):
        return []


@cache
def _expanded(text: str) -> list[Plan]:
    return params.expand(YAML(typ="safe", pure=True).load(text))


def _differences(plan: Plan, planned: Sequence[Plan], before: Sequence[Plan]) -> list[str]:
    """Return the hyperparameters that are not what they were, as `penalty=r1`; seeds are repetitions, and left out."""
    old = next((each for each in before if each.address == plan.address), None)
    if old is None:
        return []
    was, now = records.parameters(old, before), records.parameters(plan, planned)
    changed = [f"{key}={value}" for key, value in now.items() if key != "seeds" and was.get(key) != value]
    more = len(changed) - SHOWN
    return changed[:SHOWN] + ([f"+{more}"] if more > 0 else [])

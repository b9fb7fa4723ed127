"""Whether an output was made by the plan that lies here: after a change of params.yaml the old one is still there."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.runtime import files
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan


def outdated(root: Path, plans: Sequence[Plan]) -> set[str]:
    """Return the outputs that `dvc.lock` ascribes to another plan or other inputs than those that lie here.

    Without a `dvc.lock`, as where stages are run by hand, nothing is known of any output.

    Args:
        root: Root of the checkout.
        plans: All plans.

    Raises:
        UserError: If `dvc.lock` cannot be read.
    """
    lock = root / "dvc.lock"
    if not lock.exists():
        return set()
    try:
        content = files.parsed(lock.read_text(errors="replace"))
        stages: dict[str, Any] = content["stages"]
    except (yaml.YAMLError, KeyError, TypeError):
        raise UserError(f"{lock} cannot be read: `make repro` repairs it, or says how.") from None
    made = {output["path"]: output["md5"] for stage in stages.values() for output in stage.get("outs", ())}
    old: set[str] = set()
    waiting = list(plans)
    while waiting:  # until no further output turns out to be made from an outdated one
        found = {plan.output for plan in waiting if not _is_current(root, plan, stages, made, old)}
        old |= found
        waiting = [plan for plan in waiting if plan.output not in found] if found else []
    return old


def _is_current(root: Path, plan: Plan, stages: dict[str, Any], made: dict[str, str], old: set[str]) -> bool:
    read = {source["path"]: source["md5"] for source in stages.get(plan.address, {}).get("deps", ())}
    digest = hashlib.md5((root / plan.path).read_bytes()).hexdigest()
    inputs = plan.inputs.values()
    return read.get(plan.path.as_posix()) == digest and all(
        place not in old and place in read and read[place] == made.get(place) for place in inputs
    )

"""How long each stage took on this machine: a line of JSON per stage in the scratch folder, no output of DVC."""

import contextlib
import json
from pathlib import Path
from typing import Any

from pipeline.runtime import paths
from pipeline.runtime.plan import Plan
from pipeline.tracking.records import md5


def note(plan: Plan, seconds: float, root: Path = Path()) -> None:
    """Add the time that a finished stage took since it was started or continued from its checkpoint."""
    with contextlib.suppress(OSError), _file().open("a") as file:  # the stage is done, whatever becomes of this
        entry = {"stage": plan.address, "plan": md5(root / plan.path), "seconds": round(seconds, 1)}
        file.write(json.dumps(entry) + "\n")


def read(plans: list[Plan], root: Path = Path()) -> dict[str, float]:
    """Return the last noted time of each planned stage, by its address; of the plan file as it is now, no other."""
    noted = {(entry["stage"], entry["plan"]): entry["seconds"] for entry in _entries()}
    found = {plan.address: noted.get((plan.address, md5(root / plan.path))) for plan in plans}
    return {address: seconds for address, seconds in found.items() if seconds is not None}


def latest() -> dict[str, float]:
    """Return the last noted time of each stage, whatever its plan file was then."""
    return {entry["stage"]: entry["seconds"] for entry in _entries()}


def _entries() -> list[dict[str, Any]]:
    """Return what was noted; a line that a kill cut off, or that is damaged, is left out."""
    entries = []
    for line in _file().read_text(errors="replace").splitlines() if _file().is_file() else []:
        with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError, ValueError):
            entry = json.loads(line)
            entries.append({"stage": entry["stage"], "plan": entry["plan"], "seconds": float(entry["seconds"])})
    return entries


def _file() -> Path:
    return paths.scratch() / "seconds.jsonl"

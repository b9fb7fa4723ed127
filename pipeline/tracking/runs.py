"""How one stage looks in MLflow: a parent run named after the stage, and a child run with its own curves for each seed.

The tag `outputs` is set last. A run without it is unfinished: a training is writing it, or was killed while it did.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.plan import Plan
from pipeline.tracking import records, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"


def unfinished(client: "MlflowClient", experiment: str, plan: Plan, digest: str) -> "list[Run]":
    """Return the unfinished parent runs of a plan, newest first."""
    condition = " and ".join(f"tags.{name} = '{value}'" for name, value in records.identity(plan, digest).items())
    return [run for run in store.search(client, experiment, condition) if "outputs" not in run.data.tags]


def create(client: "MlflowClient", experiment: str, plan: Plan, digest: str, root: Path, **tags: str) -> "Run":
    """Start the parent run of a stage, with its parameters and the tags that say where it comes from.

    Args:
        client: Client of the store.
        experiment: Id of the family's experiment.
        plan: Plan of the stage.
        digest: MD5 of the plan file.
        root: Root of the checkout that it runs in, whose git revision is noted.
        tags: Further tags.
    """
    run = client.create_run(
        experiment, run_name=plan.address, tags=records.identity(plan, digest) | tags | _context(root)
    )
    store.write(client, run.info.run_id, params=records.parameters(plan))
    return run


def children(client: "MlflowClient", parent: "Run") -> "dict[int, Run]":
    """Return the runs of the seeds below `parent`."""
    found = store.search(client, parent.info.experiment_id, f"tags.`{PARENT}` = '{parent.info.run_id}'")
    return {int(run.data.tags["seed"]): run for run in found}


def create_child(client: "MlflowClient", parent: "Run", seed: int) -> "Run":
    """Start the run of one seed below `parent`."""
    tags = {PARENT: parent.info.run_id, "seed": str(seed)}
    return client.create_run(parent.info.experiment_id, run_name=f"seed {seed}", tags=tags)


def _context(root: Path) -> dict[str, str]:
    tags = {name: os.environ[name] for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV") if os.environ.get(name)}
    if shutil.which("git"):
        head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        if head.returncode == 0:
            tags["mlflow.source.git.commit"] = head.stdout.strip()
    return tags

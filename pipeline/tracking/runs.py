"""How one stage looks in MLflow: a parent run, and a child run with its own curves for each seed.

Both have all hyperparameters that the stage depends on, so that a filter which finds the one finds the other.

The tag `outputs` is set last. A run without it is unfinished: a training is writing it, or was killed while it did.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.plan import Plan, read_all
from pipeline.tracking import naming, records, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"
SHARED = ("stage", "run", naming.EXPERIMENT, naming.BASELINE)
"""Tags of a stage that the runs of its seeds have as well."""


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
        root: Root of the checkout that it runs in, whose plans and git revision are noted.
        tags: Further tags.
    """
    planned = read_all(root)
    name = naming.name(plan, planned, root)
    run = client.create_run(experiment, run_name=name, tags=records.identity(plan, digest) | tags | _context(root))
    store.write(client, run.info.run_id, params=records.parameters(plan, planned))
    return client.get_run(run.info.run_id)


def children(client: "MlflowClient", parent: "Run") -> "dict[int, Run]":
    """Return the runs of the seeds below `parent`."""
    found = store.search(client, parent.info.experiment_id, f"tags.`{PARENT}` = '{parent.info.run_id}'")
    return {int(run.data.tags["seed"]): run for run in found}


def create_child(client: "MlflowClient", parent: "Run", seed: int) -> "Run":
    """Start the run of one seed below `parent`, with the same parameters."""
    tags = {name: value for name, value in parent.data.tags.items() if name in SHARED}
    tags |= {PARENT: parent.info.run_id, "seed": str(seed)}
    name = f"seed {seed}, {parent.info.run_name}"
    child = client.create_run(parent.info.experiment_id, run_name=name, tags=tags)
    store.write(client, child.info.run_id, params=parent.data.params)
    return child


def _context(root: Path) -> dict[str, str]:
    tags = {name: os.environ[name] for name in (naming.EXPERIMENT, naming.BASELINE) if os.environ.get(name)}
    if shutil.which("git"):
        head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        if head.returncode == 0:
            tags["mlflow.source.git.commit"] = head.stdout.strip()
    return tags

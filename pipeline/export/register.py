"""An exported model in MLflow's registry: a version of a registered model whose files are those of the export."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.errors import UserError
from pipeline.sample.models import Origin
from pipeline.tracking import records, store
from pipeline.tracking.records import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

FOLDER = "export"
"""Folder of the files among the artifacts of the training's run."""


def register(folder: Path, origin: Origin, root: Path, name: str) -> str:
    """Register an export as the next version of the model `name`, and return a sentence about it.

    Its files become artifacts of the run that records the training; MLflow's own model format is not used.

    Args:
        folder: The exported model.
        origin: Where it comes from.
        root: Root of the checkout.
        name: Name of the registered model.

    Raises:
        UserError: If the store cannot be reached, or has no record of the training.
    """
    address = origin.plan(root, f"train_{origin.family}").address
    done, _ = records.finished(root, root / "reports" / "figures")
    record = next((record for record in done if record.plan.address == address), None)
    if record is None:
        raise UserError(f"{address}: dvc.lock does not know it with this plan; `dvc repro {address}` comes first.")
    try:
        client = store.connect()
        run = _recorded(client, record)
    except Exception as error:
        raise UserError(store.reason(error)) from None
    if run is None:
        raise UserError(f"MLflow has no record of {address}; `python -m pipeline.tracking sync` adds it.")
    place = f"{FOLDER}/seed_{origin.seed}" + ("" if origin.step is None else f"-step_{origin.step}")
    store.add_files(client, run, sorted(folder.iterdir()), place)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    tags = {"model": origin.name, "seed": str(origin.seed)}
    version = client.create_model_version(
        name, f"{run.info.artifact_uri}/{place}", run.info.run_id, tags, description=(folder / "README.md").read_text()
    )
    return f"registered as version {version.version} of {name} in {store.shown(store.uri())}"


def _recorded(client: "MlflowClient", record: Record) -> "Run | None":
    """Return the run of MLflow that records this very training, `None` if there is none."""
    found = client.get_experiment_by_name(records.family(record.plan))
    if found is None:
        return None
    condition = " and ".join(
        f"tags.{key} = '{value}'" for key, value in records.identity(record.plan, record.digest).items()
    )
    runs = store.search(client, str(found.experiment_id), condition)
    return next((run for run in runs if record.key.items() <= run.data.tags.items()), None)

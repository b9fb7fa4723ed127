"""The MLflow store: which one, its safe creation, and the writes that every record needs.

MLflow is imported inside functions: it costs more than a second, and most stages never need it.
"""

import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from pipeline.runtime import paths

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SQLITE = "sqlite:///"
ARTIFACTS = "mlflow-artifacts:"  # the scheme that `mlflow ui` and `mlflow server` serve, from ./mlartifacts by default
LATER = "`python -m pipeline.tracking sync` adds the record later"
TRIES = 3  # of a database that cannot be opened; MLflow tries ten times, in 100 seconds
MAX_METRICS = 1000  # of one log_batch, MLflow's own bound
MAX_PARAMS = 100
MAX_FLOAT = 1.7976931348623157e308  # what MLflow's database holds in the place of infinity

Points = dict[tuple[str, int], float]
"""Points of curves: the name of a metric and its epoch or step (MLflow calls both `step`), and the value there."""

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is away is noticed in seconds; MLflow's own patience is several minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


def enabled() -> bool:
    """Return whether records are written at all: always, unless `PIPELINE_TRACKING=off`."""
    return os.environ.get("PIPELINE_TRACKING", "").lower() != "off"


def uri() -> str:
    """Return the store's address: `MLFLOW_TRACKING_URI`, else `mlflow.db` at the root of the main checkout.

    A relative SQLite path counts from the main checkout, so that a temporary copy does not take its database with it.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    if given.startswith(SQLITE):
        return SQLITE + str(paths.main_checkout() / given.removeprefix(SQLITE))
    return given


def shown(address: str) -> str:
    """Return `address` for people: relative to the main checkout, without user and password."""
    if address.startswith(SQLITE):
        return address.replace(f"{paths.main_checkout()}{os.sep}", "")
    try:
        parts = urlsplit(address)
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def database() -> Path | None:
    """Return the file of a SQLite store, `None` for any other store."""
    address = uri()
    return Path(address.removeprefix(SQLITE)) if address.startswith(SQLITE) else None


def connect() -> "MlflowClient":
    """Return a client of the store, which is created first where it is a SQLite file that does not exist.

    The file is migrated under another name and moved into place, under a lock: no process ever sees half a database.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not _is_server():
        from mlflow.store.db import utils

        utils.MAX_RETRY_COUNT = TRIES
    file = database()
    if file is not None and not file.exists():
        paths.scratch().mkdir(parents=True, exist_ok=True)
        with FileLock(paths.scratch() / "tracking-create.lock"):
            if not file.exists():
                _create(file)
    return _client()


def _client() -> "MlflowClient":
    from mlflow import MlflowClient

    class Client(MlflowClient):
        """Copies files, where there is no server, to where `mlflow ui`, started beside the database, has them."""

        def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
            folder = artifact_folder(self.get_run(run_id))
            if folder is None:
                return super().log_artifact(run_id, local_path, artifact_path)
            target = folder / (artifact_path or "")
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(local_path, target / Path(local_path).name)

    return Client(tracking_uri=uri())


def _create(file: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    # The artifact root given here keeps absolute paths out of the database: a moved checkout still finds its files.
    SqlAlchemyStore(f"{SQLITE}{partial}", f"{ARTIFACTS}/").engine.dispose()  # type: ignore[no-untyped-call]
    partial.rename(file)


def experiment(client: "MlflowClient", name: str) -> str:
    """Return the id of the experiment `name`, created or restored from MLflow's trash where need be."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name, None if _is_server() else f"{ARTIFACTS}/{name}")
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def search(client: "MlflowClient", experiment_id: str, condition: str) -> "list[Run]":
    """Return every run of the experiment that meets `condition`, newest first."""
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def write(
    client: "MlflowClient",
    run_id: str,
    points: Mapping[tuple[str, int], float] | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add points, parameters and tags to a run, in batches no larger than MLflow takes."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, place) for (name, place), value in (points or {}).items()]
    for start in range(0, len(metrics), MAX_METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
    pairs = [Param(*pair) for pair in (params or {}).items()]
    for start in range(0, len(pairs), MAX_PARAMS):
        client.log_batch(run_id, params=pairs[start : start + MAX_PARAMS])
    if tags:
        client.log_batch(run_id, tags=[RunTag(*pair) for pair in tags.items()])


def points(client: "MlflowClient", run: "Run") -> Points:
    """Return all that a run's curves hold."""
    return {
        (name, m.step): m.value for name in run.data.metrics for m in client.get_metric_history(run.info.run_id, name)
    }


def metric_name(name: str) -> str:
    """Return `name` with every character that MLflow refuses in a metric's name replaced by `_`."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def add_files(client: "MlflowClient", run: "Run", files: Iterable[Path], folder: str | None = None) -> None:
    """Add files to a run's artifacts, below `folder` where one is given."""
    for file in files:
        client.log_artifact(run.info.run_id, str(file), folder)


def artifact_folder(run: "Run") -> Path | None:
    """Return the folder of a run's artifacts where this process writes it itself, `None` where MLflow's client does."""
    location = str(run.info.artifact_uri)
    if _is_server() or not location.startswith(ARTIFACTS):
        return None
    file = database()
    home = paths.main_checkout() if file is None else file.parent
    return home / "mlartifacts" / location.removeprefix(ARTIFACTS).lstrip("/")


def reason(error: Exception) -> str:
    """Return one line that says what is wrong with the store, a missing driver included, without a URL's password."""
    text = (str(error).splitlines() or [""])[0].partition(" with exception ")[0] or type(error).__name__
    return re.sub(r"//[^/@\s]*@", "//", f"no record in {shown(uri())}: {text[:200]}")


def _is_server() -> bool:
    return urlsplit(uri()).scheme in ("http", "https")

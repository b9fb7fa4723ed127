"""Records in a real `mlflow server` on loopback, which is stopped and started again while a training runs."""

import contextlib
import copy
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from checkout import Checkout
from mlflow import MlflowClient
from mlflow.entities import Run

pytestmark = pytest.mark.slow

STAGE = "train_vae@a"
OUTPUT = "models/vae/a/seed_0.safetensors"
EPOCHS = 300  # ten seconds and more, of which the server sees the first few
TAGS = ("stage", "run", "plan", "attempt", "inputs", "outputs", "figures", "seed", "weights.seed_0")


class Server:
    """An `mlflow server` with a database and a folder of artifacts of its own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.uri = f"http://{address}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    def start(self) -> None:
        host, port = self.uri.removeprefix("http://").split(":")
        command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", port, "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self._folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        wait(self._answers, lambda: (self._folder / "log").read_text())

    def stop(self) -> None:
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{self.uri}/health", timeout=10).ok
        return False

    def runs(self) -> list[Run]:
        client = MlflowClient(self.uri)
        found = client.get_experiment_by_name("vae")
        return list(client.search_runs([found.experiment_id])) if found else []

    def points(self) -> int:
        """Return how many points the curves of the seeds have."""
        client = MlflowClient(self.uri)
        seeds = [run for run in self.runs() if "seed" in run.data.tags]
        return sum(len(client.get_metric_history(run.info.run_id, "train_loss")) for run in seeds)

    def record(self) -> dict[str, object]:
        """Return all that the server holds and that does not differ from one training to the next, by name of run."""
        client = MlflowClient(self.uri)
        held = {}
        for run in self.runs():
            curves = {
                name: sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name))
                for name in run.data.metrics
            }
            tags = {name: value for name, value in run.data.tags.items() if name in TAGS}
            assert run.info.run_name not in held, "two records of one stage or seed"
            held[run.info.run_name] = (run.info.status, run.data.params, tags, curves, files(client, run))
        return held


def files(client: MlflowClient, run: Run, folder: str | None = None) -> list[str]:
    """Return the paths of a run's artifacts."""
    listed = client.list_artifacts(run.info.run_id, folder)
    return sorted(path for file in listed for path in (files(client, run, file.path) if file.is_dir else [file.path]))


def wait(condition: Callable[[], bool], said: Callable[[], str] = str) -> None:
    until = time.monotonic() + 120  # a machine may be busy
    while not condition():
        assert time.monotonic() < until, said()
        time.sleep(0.05)


@pytest.fixture
def servers(tmp_path: Path, addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Server]]:
    """Two servers, neither started yet: one to be disturbed, one for the record as it should be."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    made = [Server(tmp_path / name, address) for name, address in zip(("disturbed", "quiet"), addresses, strict=True)]
    yield made
    for server in made:
        server.stop()


@pytest.fixture
def trainings(tmp_path: Path, request: pytest.FixtureRequest) -> list[Checkout]:
    """Two equal checkouts with the data made, in which live curves are written at once and often."""
    (tmp_path / "first").mkdir()
    first = Checkout(tmp_path / "first")
    live = first.folder / "pipeline/tracking/live.py"
    text = live.read_text()
    for slow, brisk in (
        ("after_seconds: float = 60.0", "after_seconds: float = 0.0"),
        ("SECONDS = 3.0", "SECONDS = 0.1"),
    ):
        assert slow in text
        text = text.replace(slow, brisk)
    live.write_text(text)
    with first.params() as params:
        params["vae"]["epochs"] = request.param
    first.commit("brisk")
    first.repro("data")
    shutil.copytree(first.folder, tmp_path / "second")
    second = copy.copy(first)
    second.folder = tmp_path / "second"
    return [first, second]


def train(checkout: Checkout, server: Server) -> "subprocess.Popen[str]":
    environment = checkout.environment(PIPELINE_TRACKING="", MLFLOW_TRACKING_URI=server.uri)
    return subprocess.Popen(
        ["dvc", "repro", STAGE], cwd=checkout.folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def sync(checkout: Checkout, server: Server, check: bool = True) -> str:
    command = (sys.executable, "-m", "pipeline.tracking", "sync")
    done = checkout.run(*command, check=check, PIPELINE_TRACKING="", MLFLOW_TRACKING_URI=server.uri)
    return done.stdout + done.stderr


@pytest.mark.parametrize("trainings", [EPOCHS], indirect=True)
def test_server_stopped_in_mid_training_is_brought_level_afterwards(trainings, servers) -> None:
    for server in servers:
        server.start()
    running = [train(*pair) for pair in zip(trainings, servers, strict=True)]
    disturbed, quiet = servers
    wait(lambda: disturbed.points() > 0)
    disturbed.stop()
    at_work = running[0].poll() is None
    output, undisturbed = (process.communicate(timeout=300)[0] for process in running)
    assert at_work and [process.returncode for process in running] == [0, 0], output + undisturbed
    assert output.count("training goes on") == 1 and "Traceback" not in output
    assert "tracking:" not in undisturbed
    assert (trainings[0].folder / OUTPUT).read_bytes() == (trainings[1].folder / OUTPUT).read_bytes()

    failed = sync(trainings[0], disturbed, check=False)
    assert failed.startswith(f"tracking: no record in {disturbed.uri}: ") and failed.count("\n") == 1
    disturbed.start()
    assert 0 < disturbed.points() < EPOCHS
    for checkout, server in zip(trainings, servers, strict=True):
        assert "1 run recorded, 1 new" in sync(checkout, server)
    expected = quiet.record()
    assert disturbed.record() == expected
    assert quiet.points() == EPOCHS and "history.csv" in expected["train a"][-1]
    assert "1 run recorded, 0 new" in sync(trainings[0], disturbed)
    assert disturbed.record() == expected


@pytest.mark.parametrize("trainings", [20], indirect=True)
def test_server_away_from_the_start_gets_the_whole_record_later(trainings, servers) -> None:
    away, quiet = servers
    quiet.start()
    running = [train(*pair) for pair in zip(trainings, servers, strict=True)]
    output, undisturbed = (process.communicate(timeout=300)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0], output + undisturbed
    assert output.count("training goes on") == 1 and "Traceback" not in output
    away.start()
    for checkout, server in zip(trainings, servers, strict=True):
        assert "1 run recorded, 1 new" in sync(checkout, server)
    expected = quiet.record()
    for run in expected.values():
        run[2].pop("attempt", None)  # of a training that was seen live
    assert away.record() == expected
    assert "1 run recorded, 0 new" in sync(trainings[0], away)
    assert away.record() == expected

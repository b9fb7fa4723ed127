"""A small checkout with finished stages as DVC leaves them, and a store of its own for every test."""

import json
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.runtime import history
from pipeline.runtime.plan import Plan
from pipeline.tracking import store
from pipeline.tracking.records import dvc_md5, md5


@dataclass
class Checkout:
    root: Path

    def plan(self, plan: Plan) -> None:
        path = self.root / plan.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plan.text())

    def finish(self, plan: Plan, files: Mapping[str, bytes]) -> None:
        """Write the stage's output and its entry of dvc.lock."""
        self.plan(plan)
        output = self.root / plan.output
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        for name, content in files.items():
            (output / name).write_bytes(content)
        deps = [{"path": plan.path.as_posix(), "hash": "md5", "md5": md5(self.root / plan.path)}]
        deps += [{"path": folder, "hash": "md5", "md5": f"{len(folder):032x}.dir"} for folder in plan.inputs.values()]
        deps += [{"path": f"sources/{plan.stage}.yaml", "hash": "md5", "md5": "0" * 32}]
        outs = [{"path": plan.output, "hash": "md5", "md5": dvc_md5(output)}]
        lock = self.root / "dvc.lock"
        content = yaml.safe_load(lock.read_text()) if lock.exists() else {"schema": "2.0", "stages": {}}
        content["stages"][plan.address] = {"cmd": f"python -m stages.{plan.stage}", "deps": deps, "outs": outs}
        lock.write_text(yaml.safe_dump(content))

    def figure(self, name: str, content: bytes = b"png") -> None:
        path = self.root / "reports" / "figures" / "vae" / "bernoulli" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class Records:
    """What the store holds of one family, read by MLflow's own client."""

    def __init__(self, family: str = "vae") -> None:
        self.client = MlflowClient(store.uri())
        found = self.client.get_experiment_by_name(family)
        self.runs: list[Run] = list(self.client.search_runs([found.experiment_id])) if found else []

    @property
    def parents(self) -> dict[str, Run]:
        found = [run for run in self.runs if "mlflow.parentRunId" not in run.data.tags]
        assert len(found) == len({run.info.run_name for run in found}), "two records of one stage"
        return {run.info.run_name: run for run in found}

    def children(self, parent: Run) -> dict[str, Run]:
        found = [run for run in self.runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(found) == len({run.info.run_name for run in found}), "two records of one seed"
        assert all(run.info.run_name == f"seed {run.data.tags['seed']}, {parent.info.run_name}" for run in found)
        return {f"seed {run.data.tags['seed']}": run for run in found}

    def curve(self, run: Run, metric: str) -> list[tuple[int, float]]:
        return sorted((m.step, m.value) for m in self.client.get_metric_history(run.info.run_id, metric))


@pytest.fixture
def train() -> Plan:
    settings = {"beta": 0.5, "network": {"width": 8}}
    return Plan("train_vae", "bernoulli", {"data": "data/digits"}, "models/vae/bernoulli", settings)


@pytest.fixture
def score() -> Plan:
    return Plan("likelihood", "bernoulli", {"model": "models/vae/bernoulli"}, "scores/likelihood/bernoulli")


@pytest.fixture
def done(checkout: Checkout, train: Plan, score: Plan, curves: Callable[..., bytes]) -> Checkout:
    """A checkout with a finished training and its scoring."""
    scores = {
        "seeds": {"0": {"elbo": -101.0}, "1": {"elbo": -102.0}},
        "mean": {"elbo": -101.5, "iw": [-100.0, -99.0]},
        "ok": None,
        "protocol": {"split": "test", "images": 100},
    }
    checkout.finish(train, {"history.csv": curves(), "seed_0.safetensors": b"weights"})
    checkout.finish(score, {"metrics.json": json.dumps(scores).encode()})
    return checkout


@pytest.fixture
def records() -> type[Records]:
    return Records


@pytest.fixture
def addresses() -> list[str]:
    """Two addresses at which no server listens."""
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{probe.getsockname()[1]}" for probe in (one, two)]


@pytest.fixture
def refused(addresses: list[str]) -> str:
    """An address at which no server listens."""
    return addresses[0]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store: MLflow's migrations take longer than all that the tests do with it."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.connect()
    return folder / "mlflow.db"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout in which nothing ran yet and no store exists."""
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(root)
    for name in ("MLFLOW_TRACKING_URI", "PIPELINE_TRACKING", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    return Checkout(root)


@pytest.fixture
def checkout(bare: Checkout, migrated: Path) -> Checkout:
    """A checkout in which nothing ran yet, with an empty store."""
    shutil.copyfile(migrated, bare.root / "mlflow.db")
    return bare


@pytest.fixture
def curves(tmp_path: Path) -> Callable[..., bytes]:
    """Return the bytes of a history.csv of two seeds with losses 10 * seed + epoch + shift; it may count steps."""

    def make(epochs: int = 3, shift: float = 0.0, unit: str = "epoch") -> bytes:
        pairs = [(seed, epoch) for seed in (0, 1) for epoch in range(epochs)]
        rows = [{"seed": seed, unit: epoch, "loss": 10.0 * seed + epoch + shift} for seed, epoch in pairs]
        history.write(tmp_path / "history.csv", rows)
        return (tmp_path / "history.csv").read_bytes()

    return make

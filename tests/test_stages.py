"""Stage scripts: what surrounds their work; killed at any moment, they resume and end with the same bytes."""

import contextlib
import importlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from checkout import ROOT, params

from pipeline.config.params import expand
from pipeline.data.build import build
from pipeline.data.settings import Making
from pipeline.runtime import history, sources
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.plan import Plan
from pipeline.runtime.sources import verify
from stages import job

SMALL = {
    "network": "mlp", "hidden": 16, "latent": 4, "kl": "monte_carlo", "kl_samples": 2, "epochs": 12, "batch": 32,
    "learning_rate": 0.001, "clip_norm": 1.0, "snapshots": [1, 12], "seeds": [0, 1], "importance_samples": [1, 2000],
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "binarized_digits28"
    folder.mkdir()
    build("binarized_digits28", folder, Making("binarized_digits28"))
    return folder


class Workspace:
    """An empty folder in which stages run, with plan files of one small autoencoder."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        (folder / "data").mkdir(parents=True)
        (folder / "data/binarized_digits28").symlink_to(data)
        content = params()
        content["samples"]["runs"] = {}
        content["vae"]["runs"] = {"a": {"data": "binarized_digits28", **SMALL}}
        for plan in expand(content):
            if plan.run == "a":
                (folder / plan.path).parent.mkdir(parents=True)
                (folder / plan.path).write_text(plan.text())

    def command(self, stage: str) -> list[str]:
        return [sys.executable, "-m", f"stages.{stage}", f"plan/{stage}/a.yaml"]

    def environment(self, **variables: str) -> dict[str, str]:
        own = {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(self.folder), "PIPELINE_TRACKING": "off"}
        return {**os.environ, **own, "PIPELINE_CHECKPOINT_SECONDS": "0", "PIPELINE_DEVICE": "cpu", **variables}

    def start(self, stage: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(stage), cwd=self.folder, env=self.environment(**variables), stderr=subprocess.PIPE, text=True
        )

    def finish(self, stage: str, **variables: str) -> str:
        process = self.start(stage, **variables)
        _, log = process.communicate()
        assert process.returncode == 0, log
        return log

    def wait_for(self, pattern: str) -> Path:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if found := next((self.folder / ".scratch").glob(pattern), None):
                return found
            time.sleep(0.005)
        raise AssertionError(f"no {pattern} after two minutes")

    def bytes(self, output: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.folder / output).iterdir())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data):
    workspace = Workspace(tmp_path_factory.mktemp("undisturbed"), data)
    workspace.finish("train_vae", PIPELINE_CHECKPOINT_SECONDS="3600")
    workspace.finish("likelihood", PIPELINE_CHECKPOINT_SECONDS="3600")
    return workspace


@pytest.mark.slow
def test_a_finished_stage_has_written_what_it_promised_and_left_no_scratch(undisturbed):
    assert set(undisturbed.bytes("models/vae/a")) == {
        "history.csv", "network.json",
        *(f"seed_{seed}{epoch}.safetensors" for seed in (0, 1) for epoch in ("", "-epoch_1", "-epoch_12")),
    }  # fmt: skip
    assert set(undisturbed.bytes("scores/likelihood/a")) == {
        "interpolation.npy", "log_likelihood.npy", "metrics.json", "originals.npy",
        "reconstructions.npy", "samples.npy", "snapshots.npy"
    }  # fmt: skip
    assert not [file for file in (undisturbed.folder / ".scratch/stages").rglob("*") if file.is_file()]
    assert np.load(undisturbed.folder / "scores/likelihood/a/samples.npy").shape == (64, 1, 28, 28)


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize(("stage", "output"), [("train_vae", "models/vae/a"), ("likelihood", "scores/likelihood/a")])
def test_killed_twice_it_resumes_and_ends_with_the_same_bytes(tmp_path, data, undisturbed, stage, output):
    workspace = Workspace(tmp_path, data)
    if stage == "likelihood":
        (tmp_path / "models/vae").mkdir(parents=True)
        (tmp_path / "models/vae/a").symlink_to(undisturbed.folder / "models/vae/a")
    for pattern in ("stages/*/*/seed_0-*.pt", "stages/*/*/seed_1-*.pt"):
        process = workspace.start(stage)
        workspace.wait_for(pattern)
        process.kill()
        process.communicate()
        assert not (tmp_path / output).exists()
    workspace.finish(stage)
    assert workspace.bytes(output) == undisturbed.bytes(output)


@pytest.mark.slow
def test_what_the_checkpoint_holds_is_not_computed_again(tmp_path, data):
    workspace = Workspace(tmp_path, data)
    process = workspace.start("train_vae")
    path = workspace.wait_for("stages/*/*/seed_1-*.pt")
    process.kill()
    process.communicate()
    checkpoint = Checkpoint(path.parent, "seed_0", torch.device("cpu"))
    checkpoint.path = next(path.parent.glob("seed_0-*.pt"))
    state = checkpoint.load()
    state["rows"][0]["train_loss"] = 123.0
    checkpoint.save(state, now=True)
    workspace.finish("train_vae")
    assert history.read(tmp_path / "models/vae/a/history.csv")[0]["train_loss"] == 123.0


@pytest.mark.slow
def test_changed_plan_does_not_resume(tmp_path, data):
    workspace = Workspace(tmp_path, data)
    process = workspace.start("train_vae")
    workspace.wait_for("stages/*/*/seed_0-*.pt")
    process.kill()
    process.communicate()
    path = tmp_path / "plan/train_vae/a.yaml"
    path.write_text(path.read_text().replace("epochs: 12", "epochs: 2"))
    workspace.finish("train_vae")
    assert (tmp_path / "models/vae/a/history.csv").read_text().count("\n") == 1 + 2 * 2


@pytest.mark.slow
def test_an_orphan_of_a_killed_dvc_stops_and_the_next_run_goes_on(tmp_path, data, undisturbed):
    workspace = Workspace(tmp_path, data)
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run({workspace.command('train_vae')})"],
        cwd=tmp_path,
        env=workspace.environment(DVC_STAGE="train_vae@a"),
        stderr=subprocess.DEVNULL,
    )
    workspace.wait_for("stages/*/*/seed_0-*.pt")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    workspace.finish("train_vae")
    assert workspace.bytes("models/vae/a") == undisturbed.bytes("models/vae/a")


@pytest.mark.slow
def test_a_training_that_diverges_is_stopped_with_a_sentence(tmp_path, data):
    workspace = Workspace(tmp_path, data)
    path = tmp_path / "plan/train_vae/a.yaml"
    path.write_text(path.read_text().replace("learning_rate: 0.001", "learning_rate: 1.0e+30"))
    process = workspace.start("train_vae")
    _, log = process.communicate()
    assert process.returncode == 1
    assert "error: seed 0, epoch 1: " in log and "training has diverged" in log and "Traceback" not in log


@pytest.mark.slow
def test_a_missing_input_is_named_with_what_makes_it(tmp_path, data):
    workspace = Workspace(tmp_path, data)
    (tmp_path / "data/binarized_digits28").unlink()
    process = workspace.start("train_vae")
    _, log = process.communicate()
    assert process.returncode == 1
    assert log.startswith("error: train_vae@a: data/binarized_digits28 is missing; `dvc repro train_vae@a`")


@pytest.mark.slow
def test_an_output_that_cannot_be_written_is_said_and_nothing_is_lost(tmp_path, data, undisturbed):
    workspace = Workspace(tmp_path, data)
    (tmp_path / "models").write_text("a file where a folder should be")
    process = workspace.start("train_vae", PIPELINE_CHECKPOINT_SECONDS="3600")
    _, log = process.communicate()
    assert process.returncode == 1 and "error: " in log and "models" in log and "Traceback" not in log
    (tmp_path / "models").unlink()
    workspace.finish("train_vae")
    assert workspace.bytes("models/vae/a") == undisturbed.bytes("models/vae/a")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The plan of a stage that does what a test tells it, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("PIPELINE_TRACKING", "off")
    plan = Plan("planar", "a", {}, "scores/planar/a", {"points": 3})
    plan.path.parent.mkdir(parents=True)
    plan.path.write_text(plan.text())
    monkeypatch.setattr(sys, "argv", ["planar", str(plan.path)])
    return plan


def test_an_output_appears_as_a_whole_in_the_place_of_the_old_one(small):
    output = Path(small.output)
    output.mkdir(parents=True)
    (output / "old").touch()

    def main(each: job.Job) -> None:
        assert each.plan == small
        (each.output / "new").write_text("whole")
        (each.scratch / "checkpoint").touch()
        assert (output / "old").exists()

    job.run(main)
    assert [file.name for file in output.iterdir()] == ["new"]
    assert not [file for file in Path(".scratch/stages").rglob("*") if file.is_file()]


def test_a_stage_that_fails_leaves_the_old_output_and_its_checkpoints(small):
    Path(small.output).mkdir(parents=True)

    def main(each: job.Job) -> None:
        (each.scratch / "checkpoint").touch()
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        job.run(main)
    assert Path(small.output).is_dir() and list(Path(".scratch/stages").rglob("checkpoint"))


def test_what_is_edited_while_a_stage_runs_is_not_recorded(small, monkeypatch):
    listed = Path("sources/planar.yaml")
    listed.parent.mkdir()
    listed.write_text(yaml.safe_dump(sources.listing("stages/planar.py")))
    monkeypatch.setenv("DVC_STAGE", "planar@a")
    verified = []
    monkeypatch.setattr(job.sources, "verify", lambda stage: verified.append(stage) or verify(stage))

    def main(each: job.Job) -> None:
        assert verified == ["planar"]
        (each.output / "new").touch()
        (each.scratch / "checkpoint").touch()
        listed.write_text(listed.read_text().replace("pipeline/flow/planar.py", "pipeline/flow/older.py"))

    with pytest.raises(SystemExit, match=r"pipeline/flow/older\.py, pipeline/flow/planar\.py have changed since"):
        job.run(main)
    assert verified == ["planar"] * 2 and not Path(small.output).exists() and not listed.exists()
    assert list(Path(".scratch/stages").rglob("checkpoint"))


@contextlib.contextmanager
def file_size(most: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_the_user_must_act_on_is_said_without_a_traceback(small):
    def full(each: job.Job) -> None:
        raise OSError(28, "No space left on device", str(each.output))

    with pytest.raises(SystemExit, match=r"error: No space left on device: .*; fix this and rerun"):
        job.run(full)
    with pytest.raises(SystemExit, match=r"error: .*; fix this and rerun"), file_size(1 << 16):
        job.run(lambda each: np.save(each.output / "large.npy", np.zeros(1 << 16)))
    small.path.unlink()
    with pytest.raises(SystemExit, match=r"error: plan/planar/a\.yaml: no such plan file"):
        job.run(full)


@pytest.mark.parametrize(
    "script", sorted(file.stem for file in ROOT.glob("stages/*.py") if file.stem not in ("__init__", "job"))
)
def test_every_stage_script_can_be_imported_and_has_a_main(script):
    assert callable(importlib.import_module(f"stages.{script}").main)

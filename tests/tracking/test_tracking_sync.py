import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml
from checkout import params
from filelock import FileLock
from mlflow.entities import ViewType
from PIL import Image

from pipeline.config import layout
from pipeline.config.params import expand
from pipeline.runtime import paths
from pipeline.tracking import store
from pipeline.tracking.sync import Summary, record_copy, sync

REPOSITORY = str(Path(__file__).parents[2])


def test_record_holds_params_curves_scores_checksums_and_files(done, records) -> None:
    done.figure("samples")
    summary = sync()
    assert (summary.recorded, summary.new, summary.failure) == (2, 2, None)
    held = records()
    train, score = held.parents["train bernoulli"], held.parents["likelihood bernoulli"]
    trained = {"beta": "0.5", "width": "8", "data": "digits"}  # as in params.yaml
    assert train.data.params == trained
    assert score.data.params == trained | {"protocol.split": "test", "protocol.images": "100"}, "those of its training"
    assert held.curve(train, "loss") == [(0, 5.0), (1, 6.0), (2, 7.0)]
    assert held.curve(train, "loss_std")[0] == pytest.approx((0, 50**0.5))
    seeds = held.children(train)
    assert set(seeds) == {"seed 0", "seed 1"}
    assert held.curve(seeds["seed 1"], "loss") == [(0, 10.0), (1, 11.0), (2, 12.0)]
    assert train.data.tags["weights.seed_0"] == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert (
        train.data.tags["plan"] == hashlib.md5((done.root / "plan/train_vae/bernoulli.yaml").read_bytes()).hexdigest()
    )
    assert score.data.metrics == {"mean.elbo": -101.5, "mean.iw": -99.0}
    assert held.curve(score, "mean.iw") == [(0, -100.0), (1, -99.0)]
    assert {name: run.data.metrics for name, run in held.children(score).items()} == {
        "seed 0": {"elbo": -101.0},
        "seed 1": {"elbo": -102.0},
    }
    for parent in (train, score):  # a filter that keeps the one keeps the other
        assert all(run.data.params == parent.data.params for run in held.children(parent).values())
    assert {run.info.status for run in held.runs} == {"FINISHED"}
    folder = done.root / "mlartifacts" / "vae" / train.info.run_id / "artifacts"
    assert (folder / "history.csv").read_bytes() == (done.root / "models/vae/bernoulli/history.csv").read_bytes()
    assert (folder / "bernoulli.yaml").exists()
    assert (folder / "figures" / "samples.png").read_bytes() == b"png"


@pytest.mark.parametrize("everything", [False, True])
def test_second_sync_changes_nothing(done, records, everything) -> None:
    sync()
    before = {run.info.run_id: run.to_dictionary() for run in records().runs}
    second = sync(everything=everything)
    assert (second.recorded, second.new) == (2, 0)
    assert {run.info.run_id: run.to_dictionary() for run in records().runs} == before


def test_unchanged_checkout_is_left_without_opening_the_store(done, monkeypatch) -> None:
    sync()
    monkeypatch.setattr(store, "connect", lambda: pytest.fail("the store was opened"))
    assert sync().recorded == 2
    database = done.root / "mlflow.db"
    os.utime(database, ns=(0, 0))  # someone wrote to the store
    with pytest.raises(pytest.fail.Exception):
        sync()


def test_a_server_is_always_asked(done, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(store, "database", lambda: None)
    monkeypatch.setattr(store, "connect", lambda: calls.append("asked") or store._client())
    assert [sync().new, sync().new] == [2, 0]
    assert len(calls) == 2


def test_deleted_store_is_filled_again(done, migrated, records) -> None:
    sync()
    (done.root / "mlflow.db").unlink()
    shutil.rmtree(done.root / "mlartifacts")
    shutil.copyfile(migrated, done.root / "mlflow.db.copy")
    (done.root / "mlflow.db.copy").rename(done.root / "mlflow.db")
    assert sync().recorded == 2
    assert (done.root / "mlartifacts").is_dir()


def test_changed_outputs_are_a_new_run(done, train, curves, records) -> None:
    sync()
    done.finish(train, {"history.csv": curves(shift=1.0)})
    assert sync().new == 1
    names = [run.info.run_name for run in records().runs]
    assert names.count("train bernoulli") == 2
    assert names.count("likelihood bernoulli") == 1


def test_outputs_other_than_those_of_the_lock_are_not_recorded(done, records) -> None:
    history = done.root / "models/vae/bernoulli/history.csv"
    right = history.read_text()
    history.write_text(right.replace("12.0", "12.5"))
    summary = sync()
    assert (summary.recorded, summary.unfinished) == (1, 1)
    assert set(records().parents) == {"likelihood bernoulli"}
    history.write_text(right)
    assert sync().new == 1


def test_figures_plotted_or_changed_later_join_the_record(done, records) -> None:
    sync()
    run = records().parents["train bernoulli"]
    picture = done.root / "mlartifacts" / "vae" / run.info.run_id / "artifacts" / "figures" / "samples.png"
    for content in (b"first", b"second"):
        done.figure("samples", content)
        summary = sync()
        assert (summary.new, summary.updated) == (0, 2)  # the training's and the scoring's: figures belong to the run
        assert picture.read_bytes() == content


def test_record_names_the_dvc_experiment(done, records, monkeypatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-gull")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "a" * 40)
    sync()
    tags = records().parents["train bernoulli [sunny-gull]"].data.tags
    assert (tags["DVC_EXP_NAME"], tags["DVC_EXP_BASELINE_REV"]) == ("sunny-gull", "a" * 40)


def test_revision_is_noted(done, records) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q"], cwd=done.root, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], cwd=done.root, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=done.root, check=True, capture_output=True, text=True
    ).stdout
    sync()
    assert records().parents["train bernoulli"].data.tags["mlflow.source.git.commit"] == head.strip()


@pytest.fixture
def committed(done):
    """A checkout in git with the project's own params.yaml and a scored GAN."""
    content = params()
    for value in ("none", "r1"):
        content["gan"]["penalty"] = value
        for plan in expand(content):
            if plan.run == "main" and "gan" in plan.output:
                done.finish(plan, {"metrics.json": json.dumps(SCORES).encode(), "samples.npy": SAMPLES.getvalue()})
        (done.root / "params.yaml").write_text(layout.text(content))
        if value == "none":
            for command in ("init -q", "add params.yaml", "-c user.name=a -c user.email=a@b commit -qm x"):
                subprocess.run(["git", *command.split()], cwd=done.root, check=True)
    return done


SCORES = {"seeds": {"0": {"snapshots": {"0": {"fd": 9.0}, "5": {"fd": 3.0}}, "final": {"fd": 3.0}}}, "protocol": {}}
SAMPLES = io.BytesIO()
np.save(SAMPLES, np.zeros((2, 10, 3, 4, 4), np.uint8))


def test_runs_are_named_for_what_differs(committed, records, monkeypatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-gull")
    sync()
    assert set(records("gan").parents) == {"train main penalty=r1 [sunny-gull]", "score main penalty=r1 [sunny-gull]"}


def test_scores_of_snapshots_are_a_curve_and_their_samples_a_row_of_sheets(committed, records) -> None:
    sync()
    held = records("gan")
    run = held.parents["score main penalty=r1"]
    assert held.curve(held.children(run)["seed 0"], "snapshots.fd") == [(0, 9.0), (5, 3.0)]
    assert run.data.tags["mlflow.loggedImages"] == "True"
    images = store.artifact_folder(run) / "images"
    sheets = sorted(images.glob("samples+step+*.png"))
    assert [file.name.split("+")[2] for file in sheets] == ["0", "5"]
    with Image.open(sheets[0]) as sheet:
        assert sheet.size == (504, 504), "three of six pixels beside each other, 28 times as large"
    shutil.rmtree(images.parent)
    sync(everything=True)
    assert len(list(images.glob("samples+step+*.png"))) == 2


@pytest.fixture
def copy(done, tmp_path, monkeypatch) -> Path:
    """A temporary copy of the checkout in which the training has just ended."""
    copy = shutil.copytree(done.root, tmp_path / "copy")
    content = yaml.safe_load((copy / "dvc.lock").read_text())
    content["stages"] = {"data@digits": {"outs": [{"path": "data/digits", "md5": f"{len('data/digits'):032x}.dir"}]}}
    (copy / "dvc.lock").write_text(yaml.safe_dump(content))  # as DVC has left it when the training ends
    monkeypatch.chdir(copy)
    return copy


def test_what_ends_in_the_checkout_is_recorded_by_sync_alone(done, train) -> None:
    assert record_copy(train).new == 0


def test_what_ends_in_a_copy_is_recorded_there(done, train, copy, monkeypatch, records) -> None:
    assert record_copy(train).new == 1
    before = {run.info.run_id for run in records().runs}
    shutil.rmtree(copy)
    monkeypatch.chdir(done.root)
    assert sync().new == 1, "the scoring; the training is known"
    assert before <= {run.info.run_id for run in records().runs}


@pytest.mark.usefixtures("copy")
def test_copies_record_one_after_the_other(train, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.tracking.sync._upsert", lambda *_, **__: Summary(new=1))
    paths.scratch().mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool, FileLock(paths.scratch() / "tracking-sync.lock"):
        waiting = pool.submit(record_copy, train)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=1)
    assert waiting.result(timeout=60).new == 1


@pytest.mark.usefixtures("copy")
def test_a_store_that_is_away_ends_no_stage_in_a_copy(train, monkeypatch, refused) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{refused}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    summary = record_copy(train)
    assert summary.new == 0 and refused in str(summary.failure)


def test_diverged_training_is_recorded(checkout, train, records) -> None:
    rows = "seed,epoch,loss\n0,0,inf\n0,1,nan\n1,0,1.0\n1,1,-inf\n"
    checkout.finish(train, {"history.csv": rows.encode()})
    assert sync().new == 1
    held = records()
    child = held.children(held.parents["train bernoulli"])["seed 0"]
    (_, first), (_, second) = held.curve(child, "loss")
    assert first == sys.float_info.max  # MLflow's word for infinity
    assert second != second


def test_interrupted_sync_is_completed_not_doubled(done, records, monkeypatch) -> None:
    whole = store.add_files
    monkeypatch.setattr(store, "add_files", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert sync().failure is not None
    monkeypatch.setattr(store, "add_files", whole)
    assert sync().new == 2
    held = records()
    assert held.curve(held.parents["train bernoulli"], "loss") == [(0, 5.0), (1, 6.0), (2, 7.0)]
    assert len(held.children(held.parents["train bernoulli"])) == 2


def test_experiment_from_the_trash_is_restored(done, records) -> None:
    sync()
    client = records().client
    experiment = client.get_experiment_by_name("vae").experiment_id
    client.delete_experiment(experiment)
    assert sync().failure is None
    assert client.get_experiment(experiment).lifecycle_stage == "active"
    assert len(client.search_runs([experiment], run_view_type=ViewType.ACTIVE_ONLY)) == 6


def test_moved_checkout_finds_its_artifacts(done, monkeypatch, records) -> None:
    sync()
    run = records().parents["train bernoulli"]
    with closing(sqlite3.connect(done.root / "mlflow.db")) as database:
        assert str(done.root) not in "\n".join(database.iterdump())
        places = [place for (place,) in database.execute("select artifact_location from experiments")]
    assert len(places) == 2  # MLflow's own "Default", and the family's
    assert all(place.startswith("mlflow-artifacts:/") for place in places)
    moved = done.root.rename(done.root.with_name("moved"))
    monkeypatch.chdir(moved)
    monkeypatch.setenv("DVC_ROOT", str(moved))
    assert sync().new == 0
    folder = store.artifact_folder(records().client.get_run(run.info.run_id))
    assert folder is not None
    assert folder.is_relative_to(moved)
    assert (folder / "history.csv").exists()


def test_temporary_copy_records_in_the_main_checkout(done, tmp_path, monkeypatch, records) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("plan", "models", "scores", "dvc.lock"):
        (done.root / name).rename(copy / name)
    monkeypatch.chdir(copy)
    assert sync().new == 2
    assert paths.main_checkout() == done.root
    assert {file.name for file in copy.iterdir()} == {"plan", "models", "scores", "dvc.lock"}
    assert len(records().runs) == 6


def test_store_away_is_told_and_made_up_for_later(done, monkeypatch, records, refused) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@{refused}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    summary = sync()
    assert summary.failure is not None
    assert "python -m pipeline.tracking sync" in str(summary)
    assert "secret" not in str(summary)
    assert "\n" not in str(summary)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync().new == 2
    assert len(records().runs) == 6


def test_switched_off(done, monkeypatch) -> None:
    before = (done.root / "mlflow.db").read_bytes()
    monkeypatch.setenv("PIPELINE_TRACKING", "off")
    assert str(sync()) == "tracking: off"
    assert (done.root / "mlflow.db").read_bytes() == before
    assert not (done.root / ".scratch").exists()


@pytest.mark.slow
def test_processes_starting_together_create_one_store(bare, records) -> None:
    # forked after the slow imports, so that all of them reach the missing database in the same moment
    script = """
import multiprocessing
import mlflow.store.tracking.sqlalchemy_store
from pipeline.tracking import store

def work(name):
    client = store.connect()
    client.create_run(store.experiment(client, "vae"), run_name=name)

context = multiprocessing.get_context("fork")
workers = [context.Process(target=work, args=(f"run {i}",)) for i in range(4)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
    assert worker.exitcode == 0
"""
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": REPOSITORY}, check=True)
    assert sorted(run.info.run_name for run in records().runs) == [f"run {i}" for i in range(4)]
    assert not list(bare.root.glob("*.partial*"))


@pytest.mark.slow
def test_command_says_in_one_line_what_it_did(done) -> None:
    environment = os.environ | {"PYTHONPATH": REPOSITORY}
    command = [sys.executable, "-m", "pipeline.tracking", "sync"]
    result = subprocess.run(command, cwd=done.root, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "tracking: 2 runs recorded, 2 new, in sqlite:///mlflow.db\n"
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgresql://me:secret@nowhere/x", "No module named"),
        ("mysql+nodriver://me:secret@nowhere/x", "nodriver"),
        ("http://[::1", "an address that cannot be read"),
        ("nonsense://", ""),
        pytest.param("sqlite:///folder", "", marks=pytest.mark.slow),  # MLflow tries for a minute and a half
    ],
)
def test_no_address_fails_a_stage(done, monkeypatch, address, reason) -> None:
    (done.root / "folder").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    summary = sync()
    assert summary.failure and reason in str(summary) and "secret" not in str(summary)


def test_a_damaged_database_or_record_fails_no_stage(done) -> None:
    (done.root / "mlflow.db").write_bytes(b"\0garbage" * 1000)
    assert sync().failure
    (done.root / "mlflow.db").unlink()
    (done.root / "dvc.lock").write_text("schema: [")
    assert str(sync()).startswith("tracking: ")

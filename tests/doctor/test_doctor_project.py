import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml
from checkout import Checkout, params
from dvc.repo import Repo

from pipeline.config import layout
from pipeline.data import checksum
from pipeline.doctor import project
from pipeline.doctor.__main__ import examined
from pipeline.repro import objects
from pipeline.runtime import files
from pipeline.tracking import store

LINES = ("python", "packages", "path", "git", "disk", "device", "params", "data", "cache", "tracking", "scratch")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with nothing but params.yaml, which holds the default profile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for name in ("MLFLOW_TRACKING_URI", "PIPELINE_TRACKING", "DATA_MIRROR", "PIPELINE_THREADS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "params.yaml").write_text(layout.text(params()))
    return tmp_path


def write(content: dict) -> None:
    Path("params.yaml").write_text(layout.text(content))


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [("PIPELINE_DEVICE", "abacus", "abacus cannot be used"), ("PIPELINE_THREADS", "none", "at least 1 is needed")],
)
def test_a_device_that_cannot_compute_is_named(root, monkeypatch, variable, value, word):
    assert examined(project.device).good
    monkeypatch.setenv(variable, value)
    found = examined(project.device)
    assert not found.good and word in found.text


def test_the_profile_is_named_with_what_differs_from_it(root):
    assert project.hyperparameters().text == "profile default"
    write(params("paper"))
    assert project.hyperparameters().text == "profile paper"
    write({**params(), "flow": params()["flow"] | {"points": 4000}})
    assert project.hyperparameters().text == "profile default but for flow.points"


@pytest.mark.parametrize("text", ["", "flow: [", "flow: {depth: none}"])
def test_params_that_cannot_be_run_are_refused_as_plan_does(root, text):
    Path("params.yaml").write_text(text)
    for check in (project.hyperparameters, project.data):
        found = examined(check)
        assert not found.good and "params.yaml" in found.text and "\n" not in found.text


def test_own_data_are_compared_with_their_checksum(root):
    assert project.data().good
    np.savez(root / "own.npz", train_images=np.zeros((4, 8, 8), np.uint8))
    entry = {"source": "arrays", "path": "own.npz", "sha256": checksum.of(root / "own.npz")}
    write({**params(), "data": {**params()["data"], "mine": entry}})
    assert project.data().good and project.data().text.startswith("mine")
    np.savez(root / "own.npz", train_images=np.ones((4, 8, 8), np.uint8))
    assert "its sha256 is" in examined(project.data).text and not examined(project.data).good
    (root / "own.npz").unlink()
    assert "no such file or folder" in examined(project.data).text


def test_a_store_that_is_not_there_yet_or_switched_off_is_in_order(root, monkeypatch):
    assert project.tracking().good and not (root / "mlflow.db").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///no/such/place.db")
    assert project.tracking().good
    monkeypatch.setenv("PIPELINE_TRACKING", "off")
    assert project.tracking() == project.Diagnosis("off, by PIPELINE_TRACKING")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An empty store: MLflow's migrations take longer than all that is tested here."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.connect()
    return folder / "mlflow.db"


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def of_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")


STORES = {
    "a folder": (as_folder, "unable to open database file"),
    "garbage": (lambda file: file.write_bytes(b"garbage" * 1000), "not a database"),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[:5000]), ""),
    "of another version": (of_another_version, "out-of-date database schema"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
def test_a_store_that_cannot_be_used_is_told_apart_from_one_that_can(root, made, kind):
    damage, word = STORES[kind]
    damage(Path(shutil.copy(made, root / "mlflow.db")))
    found = project.tracking()
    assert not found.good and word in found.text and "python -m pipeline.tracking sync" in found.text


@pytest.mark.slow
def test_a_store_that_another_process_holds_is_no_store_to_write_to(root, made, monkeypatch):
    monkeypatch.setattr(project, "PATIENCE", 0.1)
    file = shutil.copy(made, root / "mlflow.db")
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not project.tracking().good and "locked" in project.tracking().text
    assert project.tracking().good


def test_damaged_objects_of_the_cache_are_named(root):
    Repo.init(no_scm=True).close()
    assert project.cache().good and project.cache().text.startswith("0 of 0 outputs")
    cache, content = root / ".dvc/cache/files/md5", b"weights"
    md5 = files.digest(Path(shutil.copy(_file(root / "weights", content), root / "copy")), "md5")
    place = objects.place(cache, md5)
    _file(place, content)
    outputs = [{"path": "weights", "md5": md5, "size": 7}, {"path": "away", "md5": "0" * 32, "size": 1}]
    stages = {"train": {"cmd": "train", "outs": outputs}}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    assert project.cache().good and project.cache().text.startswith("1 of 2 outputs")
    _file(place, b"weighty")
    found = project.cache()
    assert not found.good and "damaged copies of weights: `make repro` removes them" in found.text
    (root / "dvc.lock").write_text("<<<<<<< HEAD\n=======\n>>>>>>> other\n")
    assert not examined(project.cache).good and "conflict markers" in examined(project.cache).text


def _file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_what_a_kill_left_is_named_and_left_alone(root):
    assert project.leftovers() == project.Diagnosis("nothing is half done")
    begun = _file(root / ".scratch/stages/train_vae@one/0123/seed_0.pt", b"")
    (root / ".scratch/stages/train_gan@done").mkdir()
    assert project.leftovers().good and project.leftovers().text == "interrupted: train_vae@one; `make repro` goes on"
    gone = subprocess.Popen(["true"])
    gone.wait()
    held = json.dumps({"write": {"data": {"pid": gone.pid, "cmd": "dvc repro"}}})
    locks = _file(root / ".dvc/tmp/rwlock", held.encode())
    assert not project.leftovers().good and "locks of 1 processes that are gone" in project.leftovers().text
    locks.unlink()
    lock = _file(root / "dvc.lock", b"schema: '2.0'\nstages:\n  a:\n    cmd: a\n  b:\n    cm")
    assert not project.leftovers().good and "dvc.lock was half-written" in project.leftovers().text
    assert lock.read_text().endswith("cm") and begun.exists()


@pytest.mark.slow
def test_a_fresh_checkout_is_in_order_and_a_refused_one_is_not(tmp_path):
    checkout = Checkout(tmp_path)
    done = checkout.run("python", "-m", "pipeline.doctor")
    assert [tuple(line.split()[:2]) for line in done.stdout.splitlines()] == [("ok", matter) for matter in LINES]
    with checkout.params() as content:
        content["vae"]["kl"] = "exact"
    done = checkout.run("python", "-m", "pipeline.doctor", check=False)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("!")]
    assert done.returncode == 1 and not done.stderr
    assert [line.split()[1] for line in wrong] == ["params", "data"] and "vae.kl: 'exact' is not one of" in wrong[0]

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.tracking import live, store
from pipeline.tracking.live import LiveRun
from pipeline.tracking.sync import sync

REPOSITORY = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    monkeypatch.setattr(live, "FLUSH_SECONDS", 0.02)


@pytest.fixture
def started(checkout, train):
    """A checkout in which the training is planned and runs."""
    checkout.plan(train)
    return checkout


def log(run, epochs, shift=0.0):
    for seed in (0, 1):
        for epoch in epochs:
            run.log(seed, epoch, {"loss": 10.0 * seed + epoch + shift})


def logged(records):
    """Return the number of points on the seeds' curves."""
    held = records()
    return sum(len(held.curve(run, "loss")) for run in held.runs if "seed" in run.data.tags)


def wait(condition):
    until = time.monotonic() + 60  # a machine may be busy
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_curves_are_there_while_the_stage_runs(started, train, records) -> None:
    run = LiveRun(train, after_seconds=0)
    log(run, range(2))
    wait(lambda: logged(records) == 4)
    held = records()
    parent = held.parents["train bernoulli"]
    assert held.curve(held.children(parent)["seed 1"], "loss") == [(0, 10.0), (1, 11.0)]
    assert parent.data.params["beta"] == "0.5"
    assert "outputs" not in parent.data.tags
    assert parent.info.status == "RUNNING"
    run.close()
    assert {r.info.status for r in records().runs} == {"FINISHED"}


def test_finished_stage_completes_its_live_run(started, train, curves, records) -> None:
    run = LiveRun(train, after_seconds=0)
    log(run, range(2))  # the last epoch is missing
    run.close()
    live_run = records().parents["train bernoulli"].info.run_id
    started.finish(train, {"history.csv": curves(epochs=3)})
    assert sync().new == 1
    held = records()
    parent = held.parents["train bernoulli"]
    assert parent.info.run_id == live_run
    assert held.curve(parent, "loss") == [(0, 5.0), (1, 6.0), (2, 7.0)]
    assert held.curve(held.children(parent)["seed 0"], "loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert len(held.runs) == 3


@pytest.mark.slow
def test_killed_training_continues_its_run(started, train, curves, records) -> None:
    script = """
import time
from pathlib import Path
from pipeline.runtime.plan import Plan
from pipeline.tracking import live
live.FLUSH_SECONDS = 0.02
run = live.LiveRun(Plan.read(Path("plan/train_vae/bernoulli.yaml")), after_seconds=0, attempt="a")
for seed in (0, 1):
    for epoch in (0, 1):
        run.log(seed, epoch, {"loss": 10.0 * seed + epoch})
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": REPOSITORY}) as process:
        wait(lambda: logged(records) == 4)
        process.kill()
    assert {r.info.status for r in records().runs} == {"RUNNING"}
    second = LiveRun(train, after_seconds=0, attempt="a")
    log(second, range(1, 3))  # from the last checkpoint on: epoch 1 is already there
    second.close()
    held = records()
    (parent,) = held.parents.values()
    assert held.curve(held.children(parent)["seed 1"], "loss") == [(0, 10.0), (1, 11.0), (2, 12.0)]
    started.finish(train, {"history.csv": curves(epochs=3)})
    sync()
    held = records()
    (parent,) = held.parents.values()
    assert held.curve(held.children(parent)["seed 1"], "loss") == [(0, 10.0), (1, 11.0), (2, 12.0)]
    assert {r.info.status for r in held.runs} == {"FINISHED"}


@pytest.mark.parametrize("attempts", [("old", "new"), ("new", "old")])
def test_training_of_other_modules_has_its_own_run_and_sync_clears_it_away(
    started, train, curves, records, attempts
) -> None:
    for attempt in attempts:
        run = LiveRun(train, after_seconds=0, attempt=attempt)
        log(run, range(3), shift=0.5 if attempt == "old" else 0.0)
        run.close()
    assert len(records().runs) == 6
    started.finish(train, {"history.csv": curves(epochs=3)})
    sync()
    held = records()
    (parent,) = held.parents.values()
    assert parent.data.tags["attempt"] == "new"
    assert held.curve(held.children(parent)["seed 1"], "loss") == [(0, 10.0), (1, 11.0), (2, 12.0)]
    assert len(held.runs) == 3


def test_failed_stage_is_marked(started, train, records) -> None:
    run = LiveRun(train, after_seconds=0)
    log(run, range(1))
    run.close(failed=True)
    assert {r.info.status for r in records().runs} == {"FAILED"}


def test_short_stage_imports_no_mlflow(started) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.runtime.plan import Plan\n"
        "from pipeline.tracking.live import LiveRun\n"
        "run = LiveRun(Plan.read(Path('plan/train_vae/bernoulli.yaml')))\n"
        "run.log(0, 0, {'loss': 1.0})\nrun.close()\nsys.exit('mlflow' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": REPOSITORY}, check=True)


def test_store_away_is_said_once_and_made_up_for_later(
    started, train, curves, records, refused, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{refused}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = LiveRun(train, after_seconds=0)
    log(run, range(2))
    wait(lambda: not run._on)
    log(run, range(2, 3))
    run.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tracking: no record in http://{refused}: ")
    assert line.endswith("; training goes on, `python -m pipeline.tracking sync` adds the record later")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    started.finish(train, {"history.csv": curves()})
    assert sync().new == 1
    assert len(records().runs) == 3


def test_hanging_store_does_not_hold_up_training(started, train, monkeypatch, capsys) -> None:
    monkeypatch.setattr(live, "CLOSE_SECONDS", 0.2)
    answer = threading.Event()

    def hang():
        answer.wait(20)
        raise OSError("too late")

    monkeypatch.setattr(store, "connect", hang)
    run = LiveRun(train, after_seconds=0)
    start = time.monotonic()
    log(run, range(100))
    run.close()
    assert time.monotonic() - start < 5
    answer.set()
    run._thread.join()
    assert capsys.readouterr().err.count("training goes on") == 1


def test_switched_off(started, train, monkeypatch) -> None:
    monkeypatch.setenv("PIPELINE_TRACKING", "off")
    monkeypatch.setattr(store, "connect", lambda: pytest.fail("the store was opened"))
    run = LiveRun(train, after_seconds=0)
    log(run, range(2))
    run.close()
    assert run._thread is None

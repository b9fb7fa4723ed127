"""The runner on a real Dask cluster of two workers, each in its own clone of the project of stages that sleep."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.repro import cluster
from pipeline.repro.cluster import Cluster
from pipeline.runtime.errors import UserError

pytestmark = pytest.mark.slow

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")
LOOPBACK = ("--host", "127.0.0.1", "--no-dashboard")


class Machines:
    """A Dask scheduler, and a worker in each of two clones `one` and `two` of a project."""

    def __init__(self, project, folder: Path) -> None:
        self.master = project
        self.started: list[subprocess.Popen[bytes]] = []
        project.do("dvc", "remote", "add", "--default", "shared", str(folder / "remote"))
        self.commit()
        self._dask(project, "scheduler", "--port", "0", "--scheduler-file", str(folder / "scheduler"))
        self.address = json.loads(_when_there(folder / "scheduler"))["address"]
        self.clones = []
        for name in ("one", "two"):
            clone = copy.copy(project)
            clone.folder = folder / name
            subprocess.run(["git", "clone", "-q", project.folder, clone.folder], check=True)
            self.clones.append(clone)

    def commit(self) -> None:
        self.master.do("git", "add", "dvc.yaml", "stage.py", "params.yaml", "summary.json", ".dvc")
        self.master.do("git", *IDENTITY, "commit", "-qm", "project")

    def take(self, seconds: float) -> None:
        """Have all clones take stages of this length."""
        self.master.yaml(seconds)
        self.commit()
        for clone in self.clones:
            clone.do("git", "pull", "-q")

    def work(self) -> None:
        """Start a worker in each clone, and wait until all are there."""
        from distributed import Client

        for clone in self.clones:
            self._dask(clone, "worker", self.address, "--nthreads", "1")
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.clones), timeout=120)

    def restart(self) -> None:
        """Start the workers again, which then have read what their clones hold now."""
        for worker in self.started[-len(self.clones) :]:
            worker.terminate()
            worker.wait()
        self.work()

    def _dask(self, home, *arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, *LOOPBACK]
        with (home.folder.parent / f"{home.folder.name}-{arguments[0]}.log").open("wb") as log:
            self.started.append(
                subprocess.Popen(command, cwd=home.folder, env=home.environment(), stdout=log, stderr=log)
            )

    def where(self, stage: str):
        """Return the clone in which a stage has started."""
        deadline = time.monotonic() + 120
        while True:
            for clone in self.clones:
                times = clone.folder / "times"
                if times.exists() and f"{stage} start" in times.read_text():
                    return clone
            assert time.monotonic() < deadline, f"{stage} has not started after two minutes"
            time.sleep(0.02)

    def ran(self) -> Counter[str]:
        """Return how often each stage was started, on any machine."""
        files = [home.folder / "times" for home in (self.master, *self.clones)]
        lines = [line.split() for file in files if file.exists() for line in file.read_text().splitlines()]
        return Counter(name.removesuffix("@") for name, what, _ in lines if what == "start")


def _when_there(file: Path) -> str:
    deadline = time.monotonic() + 120
    while not file.exists() or not file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return file.read_text()


@pytest.fixture
def machines(project, tmp_path) -> Iterator[Machines]:
    made = Machines(project, tmp_path)
    yield made
    for home in (made.master, *made.clones):
        for process in home.processes():
            os.kill(process, signal.SIGKILL)
    for process in made.started:
        process.wait()


ONCE = dict.fromkeys(["make@-a", "make@-b", "score@-a", "score@-b", "report"], 1)


def test_two_clones_share_the_work_and_the_record_is_that_of_a_serial_run(machines, serial):
    machines.work()
    done = machines.master.do(*machines.master.runner("--dask", machines.address))
    assert "4/4  score@" in done.stdout
    assert machines.master.lock() == serial
    assert machines.ran() == ONCE
    assert all((clone.folder / "times").exists() for clone in machines.clones)  # both were at work
    assert set(machines.master.times()) == {("report", "start"), ("report", "end")}  # its metric is git's
    assert (machines.master.folder / "report.txt").exists()


def test_what_a_run_has_written_is_no_reason_to_refuse_the_next(machines, serial):
    machines.work()
    for _ in range(2):
        machines.master.do(*machines.master.runner("--dask", machines.address))
        assert "summary.json" in machines.master.do("git", "diff", "--name-only").stdout
        assert machines.master.lock() == serial
        (machines.master.folder / "dvc.lock").unlink()  # every stage is given out again, though nothing is left to do
    assert machines.ran() == ONCE


@pytest.mark.parametrize("nanny", ["left alive, starts it anew", "killed too"])
def test_a_worker_killed_in_mid_stage_is_replaced(machines, serial, nanny):
    machines.work()
    running = machines.master.start("--dask", machines.address)
    clone = machines.where("make@-a")
    for process, command in clone.processes().items():
        if "spawn_main" in command or (nanny == "killed too" and "dask" in command):
            os.kill(process, signal.SIGKILL)  # DVC and the stage are to notice
    output, _ = running.communicate(timeout=300)
    assert running.returncode == 0, output
    assert machines.ran() == ONCE | {"make@-a": 2}
    assert machines.master.lock() == serial


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_ends_the_stages_at_work_and_goes_on_later(machines, serial, kind):
    machines.take(seconds=60)
    machines.work()
    running = machines.master.start("--dask", machines.address)
    clones = [machines.where(stage) for stage in ("make@-a", "make@-b")]
    running.send_signal(kind)
    output, _ = running.communicate(timeout=60)
    if kind == signal.SIGINT:
        assert running.returncode == 130 and "interrupted" in output and "Traceback" not in output
    deadline = time.monotonic() + 30
    while any("stage.py" in command for clone in clones for command in clone.processes().values()):
        assert time.monotonic() < deadline, "a stage is still at work"
        time.sleep(0.1)
    machines.take(seconds=0.8)
    machines.restart()
    machines.master.do(*machines.master.runner("--dask", machines.address))
    assert machines.master.lock() == serial
    assert machines.ran() == ONCE | {"make@-a": 2, "make@-b": 2}


def test_a_failed_stage_shows_the_end_of_its_log(machines):
    for clone in machines.clones:
        (clone.folder / "fail").write_text("make@-b")
    machines.work()
    done = machines.master.do(*machines.master.runner("--dask", machines.address), check=False)
    assert done.returncode == 1
    assert "error: make@b: DVC ended with status 255 on " in done.stderr
    assert "this stage was told to fail" in done.stderr and "Traceback" not in done.stderr


def test_other_code_is_refused(machines):
    machines.work()
    (machines.master.folder / "stage.py").write_text("changed")
    command = machines.master.runner("--dask", machines.address)
    assert "with changes: other clones can only follow a commit" in machines.master.do(*command, check=False).stderr
    machines.commit()
    done = machines.master.do(*command, check=False)
    here, there = (home.do("git", "rev-parse", "HEAD").stdout.strip() for home in (machines.master, machines.clones[0]))
    assert f" is at {there}, this run at {here}." in done.stderr and "Traceback" not in done.stderr
    for clone in machines.clones:
        clone.do("git", "pull", "-q")
    assert f" was at {there} when its worker started" in machines.master.do(*command, check=False).stderr
    assert machines.ran() == {}


def test_what_no_worker_does_fails_in_the_end(machines, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setenv("DVC_ROOT", str(machines.master.folder))
    monkeypatch.chdir(machines.master.folder)
    with (
        Cluster(machines.address, ["summary.json"]) as workers,
        pytest.raises(UserError, match=f"{machines.address} has had no worker"),
    ):
        workers.run("make@a")


def test_an_address_without_a_scheduler_is_said(machines, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    done = machines.master.do(*machines.master.runner("--dask", "tcp://127.0.0.1:1"), check=False)
    assert done.returncode == 1
    assert "tcp://127.0.0.1:1: no Dask scheduler answers" in done.stderr and "Traceback" not in done.stderr

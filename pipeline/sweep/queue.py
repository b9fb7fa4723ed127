"""The queue of DVC: fill it, keep its workers at work, wait for the end."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.runtime.errors import UserError
from pipeline.sweep.grid import Overrides

TICK = 5.0  # seconds between two looks at the queue
QUEUED, RUNNING, SUCCESS, FAILED = "Queued", "Running", "Success", "Failed"

Statuses = Mapping[str, str]
"""Status of each experiment by its name."""


def dvc(*arguments: str) -> None:
    """Run a command of DVC, with this interpreter first on the path: stages say `python`.

    Raises:
        UserError: If it fails; it has said why.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(["dvc", *arguments], env={**os.environ, "PATH": path}, check=False)
    if done.returncode:
        raise UserError(f"`dvc {' '.join(arguments)}` ended with status {done.returncode}.")


def put(name: str, overrides: Overrides, targets: Sequence[str]) -> None:
    """Queue one experiment."""
    settings = [part for key, value in overrides.items() for part in ("-S", f"++{key}={value}")]
    dvc("exp", "run", "--queue", "--quiet", "--name", name, *settings, *targets)


def taken() -> set[str]:
    """Return the names of the experiments that start from this commit, and of those in the queue."""
    from dvc.repo import Repo

    with Repo() as repo:
        names = {name for found in repo.experiments.ls().values() for name, _ in found}
        return names | {entry["name"] for entry in repo.experiments.celery_queue.status()}


def statuses() -> Statuses:
    """Return the status of all that was ever queued."""
    from dvc.repo import Repo

    with Repo() as repo:
        return {entry["name"]: entry["status"] for entry in repo.experiments.celery_queue.status()}


def work(
    names: Sequence[str],
    jobs: int,
    look: Callable[[], Statuses] = statuses,
    start: Callable[[int], None] = lambda jobs: dvc("queue", "start", "--jobs", str(jobs)),
    wait: Callable[[], None] = lambda: time.sleep(TICK),
) -> Statuses:
    """Run queued experiments, and return how each ended.

    A worker of DVC asks itself every ten seconds whether it has anything to do, and takes an answer that does not come
    within a second, as on a busy machine, for no: it can quit while others still have work. Workers that are missing
    are started again, for as long as experiments wait.

    Args:
        names: Names of the experiments.
        jobs: Number of experiments at once.
        look: Returns the status of all experiments.
        start: Starts the workers that are missing.
        wait: Passes some time.
    """
    start(jobs)
    short, said = 0, dict.fromkeys(names, "")
    while True:
        wait()
        found = {name: status for name, status in look().items() if name in said}
        for name, status in found.items():
            if said[name] != status:
                print(f"{name}: {status.lower()}", flush=True)
                said[name] = status
        counts = Counter(found.values())
        if not counts[QUEUED] and not counts[RUNNING]:
            return found
        short = short + 1 if counts[QUEUED] and counts[RUNNING] < jobs else 0
        if short > 1:  # twice: a worker between two experiments is not missing
            start(jobs)
            short = 0

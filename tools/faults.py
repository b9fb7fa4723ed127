"""Kills at random moments, and whether the pipeline still ends with the same bytes: `python -m tools.faults`.

In a copy of this checkout with small runs of every family, one case after the other is made to run afresh, killed a few
times in a row, each time at a random moment, and then completed; every output must be the undisturbed one's. What is
killed is the process of a stage, DVC alone, or the whole process group.
"""

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

from tests.checkout import Checkout

KINDS = ("stage", "dvc", "group")
DATA = {
    "binarized_digits28": {"source": "binarized_digits28"},
    "shapes32": {"source": "shapes32", "train": 1000, "test": 500},
}
SMALL: dict[str, dict[str, Any]] = {
    "vae": {"epochs": 6, "hidden": 64, "seeds": [0], "importance_samples": [1, 50]},
    "gan": {
        "steps": 40, "log_every": 10, "snapshots": [0, 20], "samples": 100, "final_samples": 100,
        "interpolation_pairs": 20,
    },
    "simsiam": {"epochs": 2},
    "flow": {"depth": 2, "steps": 400, "points": 500, "seeds": [0]},
    "features": {"epochs": 1, "samples": 100, "kid_subset_size": 50},
    "samples": {"count": 100},
}  # fmt: skip
CONVOLUTIONAL = {"network": "conv32", "hidden": 4, "likelihood": "gaussian", "epochs": 1, "elbo_samples": 1}
RUNS: dict[str, dict[str, Any]] = {
    "vae": {"one": {"data": "binarized_digits28"}, "pictures": {"data": "shapes32", **CONVOLUTIONAL}},
    "gan": {"one": {"data": "shapes32", "features": "one"}},
    "simsiam": {"one": {"data": "shapes32"}},
    "flow": {"one": {}},
    "features": {"one": {"data": "shapes32"}},
    "samples": {"one": {"data": "shapes32", "vae": "pictures", "features": "one"}},
}
TRAININGS = {"train_vae": "models/vae", "train_gan": "models/gan", "train_simsiam": "models/simsiam"}
TRAININGS |= {"train_flow": "models/flow", "features": "models/features", "dirac": "scores/dirac"}
REPORT = {"report": "reports"}
ALL = "parallel runner"
OUTPUTS = ("plan", "sources", "data", "models", "scores", "plots", "reports")


@dataclass
class Case:
    """What is disturbed, and what came of it.

    Args:
        name: Name of a stage, or of the parallel runner over all of them.
        command: Command that runs it.
        outputs: Folders that are deleted so that it has to run.
        seconds: How long it takes undisturbed.
        kills: Number of kills of each kind, and of those that came too late.
        completed: Number of rounds after which the pipeline was up to date.
        equal: Number of rounds after which every output was the undisturbed one's.
    """

    name: str
    command: list[str]
    outputs: list[str]
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    equal: int = 0

    @property
    def killed(self) -> int:
        """How many kills met what they were meant for."""
        return sum(self.kills[kind] for kind in KINDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--in-a-row", type=int, default=4, help="kills before a case is completed")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(campaign(Path(folder), options.kills, options.in_a_row))


def campaign(folder: Path, kills: int, in_a_row: int) -> int:
    """Disturb every case in an empty folder, print the table of what came of it and return the exit status."""
    checkout = small(folder)
    checkout.run(*runner(2))
    expected = checksums(folder)
    cases = [
        Case(name, ["dvc", "--wait-for-lock", "repro", name], [output])
        for name, output in {**TRAININGS, **REPORT}.items()
    ]
    cases.append(Case(ALL, runner(2), ["models", "scores", "plots"]))
    for case in cases:
        afresh(folder, case)
        start = time.monotonic()
        checkout.run(*case.command)
        case.seconds = time.monotonic() - start
    turn = 0
    while sum(case.killed for case in cases) < kills:
        case = cases[turn % len(cases)]
        turn += 1
        afresh(folder, case)
        for _ in range(in_a_row):
            case.kills[disturb(folder, case, random.choice(KINDS))] += 1
        case.completed += checkout.run(*runner(1), check=False).returncode == 0
        case.equal += checksums(folder) == expected
        print(f"{case.name}: {dict(case.kills)}, {case.equal} of {case.completed} equal", file=sys.stderr, flush=True)
    print(
        "| disturbed | takes | kills of the stage | of dvc alone | of the group | after its end | rounds | same bytes |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for case in cases:
        counts = " | ".join(str(case.kills[kind]) for kind in (*KINDS, "late"))
        print(f"| {case.name} | {case.seconds:.1f} s | {counts} | {case.completed} | {case.equal} |")
    return int(any(sum(getattr(case, what) for case in cases) != turn for what in ("completed", "equal")))


def runner(jobs: int) -> list[str]:
    """Return the command that brings everything up to date, after repairing what a killed DVC left."""
    return [sys.executable, "-m", "pipeline.repro", "--jobs", str(jobs)]


def small(folder: Path) -> Checkout:
    """Return a copy of this checkout with small runs of every family."""
    checkout = Checkout(folder)
    with checkout.params() as params:
        params["data"] = DATA
        for family, runs in RUNS.items():
            params[family].update(SMALL[family], runs=runs)
    checkout.commit("small")
    return checkout


def afresh(folder: Path, case: Case) -> None:
    """Delete a case's outputs, also from the caches, out of which DVC would bring them back instead of running."""
    recorded = YAML(typ="safe").load(folder / "dvc.lock")["stages"].values()
    for output in (output for stage in recorded for output in stage.get("outs", ())):
        if output["path"].startswith(tuple(case.outputs)):
            (folder / ".dvc/cache/files/md5" / output["md5"][:2] / output["md5"][2:]).unlink(missing_ok=True)
    for name in (*case.outputs, ".dvc/cache/runs"):
        shutil.rmtree(folder / name, ignore_errors=True)


def disturb(folder: Path, case: Case, kind: str) -> str:
    """Start a case, kill part of it at a random moment, and return what was killed; "late" if all was over."""
    environment = {
        **os.environ,
        "PIPELINE_TRACKING": "off",
        "PIPELINE_CHECKPOINT_SECONDS": "0",
        "DVC_ROOT": str(folder),
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    master = subprocess.Popen(
        case.command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    time.sleep(random.uniform(0, case.seconds))
    victims: list[psutil.Process] = []
    while not victims and master.poll() is None:  # the stage may not have begun
        time.sleep(0.02)
        found = {process: kind_of(process) for process in tree(master.pid)}
        victims = [process for process, its in found.items() if kind == "group" or its == kind]
    for process in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if not victims:
        kind = "late"
    with contextlib.suppress(subprocess.TimeoutExpired):
        master.wait(120)
    return kind


def tree(root: int) -> list[psutil.Process]:
    """Return a process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    return []


def kind_of(process: psutil.Process) -> str:
    """Return whether a process is a stage or belongs to DVC or its runner."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return "stage" if any(word.startswith("stages.") for word in (process.name(), *process.cmdline())) else "dvc"
    return "dvc"


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of every output."""
    files = [file for name in OUTPUTS for file in (folder / name).rglob("*") if file.is_file()]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file.name != "provenance.md"
    }


if __name__ == "__main__":
    main()

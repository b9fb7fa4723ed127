"""What every stage script does around its own work: read the plan file, take the lock, move the output into place."""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pipeline.runtime import settings, sources
from pipeline.runtime.context import Context, Log
from pipeline.runtime.errors import UserError, told
from pipeline.runtime.paths import scratch
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import Kind
from pipeline.tracking import usage
from pipeline.tracking.live import LiveRun
from pipeline.tracking.sync import record_copy

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Job:
    """One stage of one run at work.

    Args:
        plan: The resolved plan file.
        output: An empty folder to write into; it becomes `plan.output` when the stage is done.
        scratch: A folder for checkpoints, kept until the stage is done, for one content of plan, inputs and sources.
        log: Shows a row of a training's history in MLflow while the stage runs; it writes no file.
    """

    plan: Plan
    output: Path
    scratch: Path
    log: Log

    def input(self, name: str) -> Path:
        """Return the folder of the declared input `name`."""
        return Path(self.plan.inputs[name])

    def settings(self, kind: type[Kind]) -> Kind:
        """Return the settings of the stage, typed."""
        return settings.build(kind, self.plan.settings)

    def context(self, device: "torch.device") -> Context:
        """Return the context of a computation on `device`."""
        return Context(device, self.scratch, self.log)


def run(main: Callable[[Job], None]) -> None:
    """Run the stage whose plan file the command line names, and exit with a message where the user must act."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("plan", type=Path, help="plan file of the stage, plan/<stage>/<run>.yaml")
    with told(), _job(Plan.read(parser.parse_args().plan)) as job:
        main(job)


@contextmanager
def _job(plan: Plan) -> Iterator[Job]:
    sources.verify(plan.stage)
    missing = [folder for folder in plan.inputs.values() if not Path(folder).exists()]
    if missing:
        raise UserError(f"{plan.address}: {', '.join(missing)} is missing; `dvc repro {plan.address}` makes it first.")
    state = scratch() / "stages" / plan.address / _key(plan)
    output = Path(plan.output)
    partial = state / "output" / output.name
    with ExitStack() as stack:
        # the key guards the checkpoint against a second temporary copy, the output against a second plan
        for what in (state.name, str(output.resolve())):
            stack.enter_context(_alone(what, plan.address))
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        live = LiveRun(plan, attempt=state.name)
        with usage.measured(plan, state):
            try:
                yield Job(plan, partial, state, live.log)
                sources.verify(plan.stage)  # what was edited meanwhile must not be recorded as what has run
            except BaseException:
                live.close(failed=True)
                raise
            live.close(failed=False)
            _move(partial, output)
        if failure := record_copy(plan).failure:
            print(f"tracking: {failure}", file=sys.stderr)
        shutil.rmtree(state, ignore_errors=True)  # a forced rerun starts afresh


def _move(partial: Path, output: Path) -> None:
    """Put a finished folder in the place of what may lie there, once the disk has all of it."""
    for file in filter(Path.is_file, partial.rglob("*")):
        with file.open("rb") as content:
            os.fsync(content.fileno())
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(partial, output)


@contextmanager
def _alone(what: str, address: str) -> Iterator[None]:
    """Hold the lock named by `what`; another process that holds it is waited for."""
    folder = scratch() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / hashlib.sha256(what.encode()).hexdigest()[:16])
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(
            f"{address}: another process is running this stage (started before DVC was killed?); waiting for it.",
            file=sys.stderr,
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _key(plan: Plan) -> str:
    """Hash what decides the output: plan file, modules, versions of packages, and inputs."""
    digest = hashlib.sha256(plan.text().encode())
    digest.update(str(sources.listing(f"stages/{plan.stage}.py")).encode())
    inputs = [file for folder in plan.inputs.values() for file in sorted(Path(folder).rglob("*")) if file.is_file()]
    for file in inputs:
        digest.update(file.name.encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]

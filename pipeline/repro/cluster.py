"""Workers on other machines, by Dask: each is at home in a clone of its own, and all share one remote of DVC."""

import socket
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config import params
from pipeline.repro import graph
from pipeline.repro.alone import alone
from pipeline.repro.objects import drop_damaged
from pipeline.repro.places import ONE
from pipeline.repro.repair import repair
from pipeline.repro.workers import StageError, Workers, log_of
from pipeline.runtime import files
from pipeline.runtime.errors import UserError
from pipeline.tracking.provenance import revision

PARAMS = Path("params.yaml")
WORKER = "worker"
TICK = 1.0  # seconds between two checks of what may have died
PATIENCE = 60.0  # seconds without any worker after which stages are given up; one that is restarted is back sooner
COMMIT = revision(Path()).split()[0]  # whose modules this process runs; a worker may outlive it
SHARE = (["repro", "--pull"], ["push"], ["push", "--run-cache"])  # outputs first: the run cache promises them


class Cluster:
    """The workers of a Dask scheduler; leaving the context ends the stages that run.

    Args:
        address: Address of the scheduler, `tls://10.0.0.1:8786`.
        uncached: Files that DVC leaves to git, and every run rewrites.
        jobs: How many stages may be given out at once; without a number as many as there are workers now.

    Raises:
        UserError: If no scheduler answers, or what lies here is no commit that other clones can be at.
    """

    def __init__(self, address: str, uncached: Collection[str], jobs: int | None = None) -> None:
        from distributed import Client

        self._address, self._jobs = address, jobs
        own = (str(PARAMS), "dvc.lock", *uncached)  # may differ: one is sent, the others written
        self._order = (revision(Path(), *own), PARAMS.read_text(), own)
        if not self._order[0].isalnum():
            raise UserError(f"This is {self._order[0]}: other clones can only follow a commit, and get params.yaml.")
        try:
            self._client = Client(address, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:  # away, no certificate, no address
            raise UserError(f"{address}: no Dask scheduler answers: {error}") from None

    @property
    def width(self) -> dict[str, int]:
        """How many stages may be given out at once."""
        return {WORKER: self._jobs or max(1, len(self._client.nthreads()))}

    def kind(self, stage: str) -> str:
        """Return of which kind `stage` is: any worker takes it."""
        return WORKER

    def run(self, stage: str) -> None:
        """Have one stage brought up to date by a worker; if the worker dies, Dask turns to another.

        Raises:
            StageError: If the stage fails, or kills one worker after the other.
            UserError: If no worker is left, or the worker or its clone is at another commit.
        """
        log = log_of(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        try:
            reason, printed = self._answer(stage)
        except UserError:
            raise
        except (
            Exception
        ) as error:  # of Dask, which has many: a stage that kills its workers, a scheduler that went away
            reason, printed = f"Dask: {error.__cause__ or error}", ""
        log.write_text(printed)
        if reason:
            raise StageError(stage, log, reason)

    def _answer(self, stage: str) -> tuple[str, str]:
        answer = self._client.submit(bring, stage, *self._order, key=f"{stage}-{uuid.uuid4()}")
        since = time.monotonic()  # when there last was a worker
        while True:
            try:
                return answer.result(timeout=TICK)
            except TimeoutError:
                if self._client.nthreads():
                    since = time.monotonic()
                elif time.monotonic() > since + PATIENCE:
                    raise UserError(f"{self._address} has had no worker for {PATIENCE:.0f} s") from None

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def bring(stage: str, commit: str, text: str, own: Collection[str]) -> tuple[str, str]:
    """Bring one stage up to date in the clone that this process works in, and push it; what a worker of Dask runs.

    Args:
        stage: Its name; what it needs comes from the remote if it is there.
        commit: The one that the clone has to be at.
        text: Content of `params.yaml`.
        own: Files that may differ from the commit.

    Returns:
        Why it failed, empty if it did not, and what it and DVC printed.

    Raises:
        UserError: If the clone is at another commit, or was when this process began.
    """
    here, found = f"{socket.gethostname()}:{Path.cwd()}", revision(Path(), *own)
    if found != commit:
        raise UserError(f"{here} is at {found}, this run at {commit}.")
    if commit != COMMIT:
        raise UserError(f"{here} was at {COMMIT} when its worker started: restart the worker.")
    with alone() as lock, Workers(ONE, lock) as workers, _wanted(workers):
        repair()
        drop_damaged(graph.cache())
        if PARAMS.read_text() != text:
            files.write(PARAMS, text.encode())
        params.write(params.expand(params.read(PARAMS)))
        reason = ""
        try:
            workers.run(stage, *([*command, stage] for command in SHARE))
        except StageError as error:
            reason = f"{error.reason} on {socket.gethostname()}"
        return reason, log_of(stage).read_text(errors="replace")


@contextmanager
def _wanted(workers: Workers) -> Iterator[None]:
    """End the stage that runs once nobody waits for it: its master was interrupted or has died."""
    from distributed import get_worker

    here = get_worker()
    task = here.state.tasks[here.get_current_task()]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(TICK):
            if task.state == "cancelled":
                workers.dismiss()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()

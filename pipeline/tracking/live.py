"""The curves of a training while it runs; nothing depends on them, `sync` writes the record from files in the end."""

import queue
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.plan import Plan
from pipeline.tracking import records, runs, store
from pipeline.tracking.store import Points

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

FLUSH_SECONDS = 3.0
CLOSE_SECONDS = 10.0  # for the last curves; a server that hangs is not waited for longer


class LiveRun:
    """The MLflow run of a stage in progress, written by a thread of its own so that training never waits for the store.

    Nothing happens, and MLflow is not even imported, before the stage has run for `after_seconds`: a shorter one is
    recorded by `sync` alone. A store that fails is told once on stderr and then left alone. A training that was killed
    and goes on continues its run.

    Args:
        plan: Plan of the stage.
        root: Root of the checkout in which the stage runs.
        after_seconds: How long a stage runs before its curves are shown.
        attempt: Name of the training to which a checkpoint belongs; only runs of the same attempt are continued.
    """

    def __init__(self, plan: Plan, root: Path = Path(), after_seconds: float = 60.0, attempt: str = "") -> None:
        self._plan = plan
        self._root = root
        self._attempt = attempt
        self._due = time.monotonic() + after_seconds
        self._on = store.enabled()
        self._entries: queue.SimpleQueue[tuple[int, int, dict[str, float]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._status = "FINISHED"

    def log(self, seed: int, position: int, row: Mapping[str, float]) -> None:
        """Take note of a row of the history, of one seed at one epoch or step; returns at once."""
        if not self._on:
            return
        self._entries.put((seed, position, {store.metric_name(name): float(value) for name, value in row.items()}))
        if self._thread is None and time.monotonic() >= self._due:
            self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
            self._thread.start()

    def close(self, failed: bool = False) -> None:
        """Write what is left and end the run; `sync` completes it."""
        self._status = "FAILED" if failed else "FINISHED"
        self._closed.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                self._give_up(f"{store.shown(store.uri())} does not answer")

    def _work(self) -> None:
        try:
            self._write()
        except Exception as error:  # whatever is wrong with the store, it is no reason to lose a training
            self._give_up(store.reason(error))

    def _give_up(self, reason: str) -> None:
        if self._on:
            self._on = False
            print(f"tracking: {reason}; training goes on, {store.LATER}", file=sys.stderr, flush=True)

    def _write(self) -> None:
        client = store.connect()
        run = self._open(client)
        children = runs.children(client, run)
        held = {seed: store.points(client, child) for seed, child in children.items()}
        closed = False
        while not closed:
            closed = self._closed.wait(FLUSH_SECONDS)
            for seed, curve in self._drain().items():
                if seed not in children:
                    children[seed], held[seed] = runs.create_child(client, run, seed), {}
                new = {point: value for point, value in curve.items() if point not in held[seed]}
                store.write(client, children[seed].info.run_id, new)
        for member in (*children.values(), run):
            client.set_terminated(member.info.run_id, self._status)

    def _open(self, client: "MlflowClient") -> "Run":
        digest = records.md5(self._root / self._plan.path)
        experiment = store.experiment(client, records.family(self._plan))
        for run in runs.unfinished(client, experiment, self._plan, digest):
            if run.data.tags.get("attempt") == self._attempt:
                client.update_run(run.info.run_id, status="RUNNING")
                return run
        return runs.create(client, experiment, self._plan, digest, self._root, attempt=self._attempt)

    def _drain(self) -> dict[int, Points]:
        curves: dict[int, Points] = defaultdict(dict)
        while not self._entries.empty():
            seed, position, row = self._entries.get()
            curves[seed] |= {(name, position): value for name, value in row.items()}
        return curves

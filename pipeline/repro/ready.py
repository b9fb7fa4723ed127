"""The ready queue: a stage starts when all it waits for is done and there is a place for it.

A stage that fails stops what waits for it and nothing else.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol

import networkx as nx

from pipeline.repro.workers import StageError


class Watcher(Protocol):
    """What is told of every start and end."""

    def started(self, stage: str) -> None: ...

    def ended(self, stage: str, error: BaseException | None) -> None: ...


def run_all(
    graph: "nx.DiGraph[str]",
    submit: Callable[[str], "Future[None]"],
    kind: Callable[[str], str],
    width: Mapping[str, int],
    urgency: Mapping[str, Any],
    watcher: Watcher,
) -> dict[str, StageError]:
    """Run every stage of a graph but those that wait, directly or not, for one that failed.

    Args:
        graph: From each stage to those that wait for it.
        submit: Starts a stage.
        kind: Of which kind a stage is.
        width: How many stages of each kind may run at once.
        urgency: Priority: of the ready stages for which there is a place, the one with the largest starts first.
        watcher: Is told of every start and end.

    Returns:
        Why each stage failed that did.

    Raises:
        BaseException: The first error that is not a stage's own, such as that of a clone at another commit, once all
            that had started is over; nothing starts after it.
    """
    waits = dict(graph.in_degree())
    ready = {stage for stage, count in waits.items() if count == 0}
    free = dict(width)
    running: dict[Future[None], str] = {}
    failed: dict[str, StageError] = {}
    fatal: BaseException | None = None
    while running or (ready and fatal is None):
        while fatal is None and (able := [stage for stage in ready if free[kind(stage)]]):
            stage = max(able, key=lambda name: (urgency[name], name))
            ready.remove(stage)
            free[kind(stage)] -= 1
            watcher.started(stage)
            running[submit(stage)] = stage
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            stage = running.pop(future)
            free[kind(stage)] += 1
            error = future.exception()
            watcher.ended(stage, error)
            if isinstance(error, StageError):
                failed[stage] = error
            elif error is not None:
                fatal = fatal or error
            else:
                for later in graph[stage]:
                    waits[later] -= 1
                    if waits[later] == 0:
                        ready.add(later)
    if fatal is not None:
        raise fatal
    return failed

"""The ready queue: a stage starts when all it waits for is done."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol

import networkx as nx


class Watcher(Protocol):
    """What is told of every start and end."""

    def started(self, stage: str) -> None: ...

    def ended(self, stage: str, error: BaseException | None) -> None: ...


def carry_out(
    graph: "nx.DiGraph[str]",
    submit: Callable[[str], "Future[None]"],
    width: int,
    urgency: Mapping[str, Any],
    watcher: Watcher,
) -> BaseException | None:
    """Run every stage of a graph; after a failure nothing new starts.

    Args:
        graph: from each stage to those that wait for it.
        submit: starts a stage.
        width: how many stages may be at work at once.
        urgency: of the ready stages the one with the largest starts first.
        watcher: is told of every start and end.

    Returns:
        the first failure, once all that had started is over; `None` if there was none.
    """
    waits = dict(graph.in_degree())
    ready = {stage for stage, count in waits.items() if count == 0}
    running: dict[Future[None], str] = {}
    failure: BaseException | None = None
    while running or (ready and failure is None):
        while ready and failure is None and len(running) < width:
            stage = max(ready, key=lambda name: (urgency[name], name))
            ready.remove(stage)
            watcher.started(stage)
            running[submit(stage)] = stage
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            stage = running.pop(future)
            error = future.exception()
            watcher.ended(stage, error)
            failure = failure or error
            if error is None:
                for later in graph[stage]:
                    waits[later] -= 1
                    if waits[later] == 0:
                        ready.add(later)
    return failure

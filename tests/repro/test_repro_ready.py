import threading
import time
from concurrent.futures import ThreadPoolExecutor

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.repro.ready import carry_out


class Log:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str, bool]] = []

    def started(self, stage: str) -> None:
        self.entries.append(("start", stage, True))

    def ended(self, stage: str, error: BaseException | None) -> None:
        self.entries.append(("end", stage, error is None))

    def at_work(self) -> list[int]:
        """How many stages are at work after each entry."""
        counts = [0]
        for what, _, _ in self.entries:
            counts.append(counts[-1] + (1 if what == "start" else -1))
        return counts


graphs = st.integers(1, 9).flatmap(
    lambda size: st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))).map(
        lambda pairs: (size, {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    )
)


@settings(max_examples=60, deadline=None)
@given(graphs, st.integers(1, 4), st.sets(st.integers(0, 8), max_size=2))
def test_order_width_and_failure(shape, width, broken):
    size, edges = shape
    graph = nx.DiGraph([(f"s{a}", f"s{b}") for a, b in edges])
    graph.add_nodes_from(f"s{number}" for number in range(size))
    broken = {f"s{number}" for number in broken} & set(graph)
    log, lock, done = Log(), threading.Lock(), set()

    def run(stage):
        time.sleep(0.0005)
        if stage in broken:
            raise RuntimeError(stage)
        with lock:
            assert set(graph.predecessors(stage)) <= done, "a stage started before its inputs were there"
            done.add(stage)

    with ThreadPoolExecutor(width) as threads:
        failure = carry_out(graph, lambda s: threads.submit(run, s), width, {s: i for i, s in enumerate(graph)}, log)
    assert max(log.at_work()) <= width and log.at_work()[-1] == 0
    if failure is None:
        assert done == set(graph)
    else:
        assert str(failure) in broken
        failed = next(i for i, entry in enumerate(log.entries) if entry[0] == "end" and not entry[2])
        assert not any(what == "start" for what, *_ in log.entries[failed:])
    assert (failure is None) == (not broken or not any(stage in broken for _, stage, _ in log.entries))


@pytest.mark.parametrize(("urgency", "first"), [({"a": 1, "b": 2}, "b"), ({"a": 2, "b": 1}, "a")])
def test_the_most_urgent_goes_first(urgency, first):
    graph, log = nx.DiGraph(), Log()
    graph.add_nodes_from("ab")
    with ThreadPoolExecutor(1) as threads:
        assert carry_out(graph, lambda s: threads.submit(lambda: None), 1, urgency, log) is None
    assert log.entries[0][1] == first

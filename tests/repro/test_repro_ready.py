import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.repro.ready import run_all
from pipeline.repro.workers import StageError


class Log:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str, bool]] = []

    def started(self, stage: str) -> None:
        self.entries.append(("start", stage, True))

    def ended(self, stage: str, error: BaseException | None) -> None:
        self.entries.append(("end", stage, error is None))

    def most(self, kind: str) -> int:
        """How many stages of a kind ran at once at most; all of them have ended."""
        counts = [0]
        for what, stage, _ in self.entries:
            counts.append(counts[-1] + (kind_of(stage) == kind) * (1 if what == "start" else -1))
        assert counts[-1] == 0
        return max(counts)


def kind_of(stage: str) -> str:
    return "odd" if int(stage[1:]) % 2 else "even"


graphs = st.integers(1, 9).flatmap(
    lambda size: st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))).map(
        lambda pairs: (size, {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    )
)


@settings(max_examples=60, deadline=None)
@given(graphs, st.integers(1, 4), st.integers(1, 4), st.sets(st.integers(0, 8), max_size=2))
def test_order_width_and_failures(shape, odd, even, broken):
    size, edges = shape
    graph = nx.DiGraph([(f"s{a}", f"s{b}") for a, b in edges])
    graph.add_nodes_from(f"s{number}" for number in range(size))
    broken = {f"s{number}" for number in broken} & set(graph)
    log, lock, done = Log(), threading.Lock(), set()

    def run(stage):
        time.sleep(0.0005)
        if stage in broken:
            raise StageError(stage, Path("log"), "told to fail")
        with lock:
            assert set(graph.predecessors(stage)) <= done, "a stage started before its inputs were there"
            done.add(stage)

    width, urgency = {"odd": odd, "even": even}, {stage: place for place, stage in enumerate(graph)}
    with ThreadPoolExecutor(odd + even) as threads:
        failed = run_all(graph, lambda s: threads.submit(run, s), kind_of, width, urgency, log)
    assert all(log.most(kind) <= width[kind] for kind in width)
    lost = broken.union(*(nx.descendants(graph, stage) for stage in broken))
    assert done == set(graph) - lost, "a failure stops what needs it and nothing else"
    assert set(failed) == {stage for stage in broken if not nx.ancestors(graph, stage) & broken}


def test_an_error_that_is_no_stages_own_stops_everything():
    graph, log = nx.DiGraph(), Log()
    graph.add_nodes_from(["s1", "s3"])

    def run(stage):
        raise RuntimeError(stage)

    with ThreadPoolExecutor(1) as threads, pytest.raises(RuntimeError, match="s3"):
        run_all(graph, lambda s: threads.submit(run, s), kind_of, {"odd": 1}, {"s1": 1, "s3": 2}, log)
    assert [stage for what, stage, _ in log.entries if what == "start"] == ["s3"]


@pytest.mark.parametrize(("urgency", "first"), [({"s1": 1, "s3": 2}, "s3"), ({"s1": 2, "s3": 1}, "s1")])
def test_the_most_urgent_goes_first(urgency, first):
    graph, log = nx.DiGraph(), Log()
    graph.add_nodes_from(urgency)
    with ThreadPoolExecutor(1) as threads:
        assert run_all(graph, lambda s: threads.submit(lambda: None), kind_of, {"odd": 1}, urgency, log) == {}
    assert log.entries[0][1] == first


def test_a_stage_without_a_place_keeps_none_of_another_kind_waiting():
    graph, log, over = nx.DiGraph(), Log(), threading.Event()
    graph.add_nodes_from(["s1", "s3", "s2"])
    urgency = {"s1": 3, "s3": 2, "s2": 1}

    def run(stage):
        if stage == "s2":
            over.set()
        assert over.wait(30), "s2 did not run beside s1"

    with ThreadPoolExecutor(2) as threads:
        width = {"odd": 1, "even": 1}
        assert run_all(graph, lambda s: threads.submit(run, s), kind_of, width, urgency, log) == {}
    assert [stage for what, stage, _ in log.entries if what == "start"] == ["s1", "s2", "s3"]

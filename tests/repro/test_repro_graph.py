import networkx as nx
import pytest

from pipeline.repro.graph import select, urgency, work
from pipeline.runtime.errors import UserError

# plan -> data -> train@a -> score@a -> report, plan -> train@b -> score@b -> report
GRAPH = nx.DiGraph(
    [
        ("plan", "data"), ("data", "train@a"), ("train@a", "score@a"), ("score@a", "report"),
        ("plan", "train@b"), ("train@b", "score@b"), ("score@b", "report"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (set(), set()),
        ({"plan"}, {"plan"}),
        ({"plan", "train@b"}, {"plan", "train@b", "score@b", "report"}),
        ({"data"}, {"data", "train@a", "score@a", "report"}),
        ({"report"}, {"report"}),
    ],
)
def test_what_follows_from_a_change_is_work_too_except_from_the_plan(changed, expected):
    assert set(work(GRAPH, changed)) == expected


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([], set(GRAPH)),
        (["train@b"], {"plan", "train@b"}),
        (["train"], {"plan", "data", "train@a", "train@b"}),
        (["train@b", "data"], {"plan", "data", "train@b"}),
    ],
)
def test_targets_bring_what_they_need(targets, expected):
    assert set(select(GRAPH, targets)) == expected


def test_an_unknown_target_is_refused():
    with pytest.raises(UserError, match="trian: no such stage"):
        select(GRAPH, ["trian"])


def test_the_longest_chain_goes_first():
    seconds = {"plan": 1.0, "data": 2.0, "train@a": 10.0, "score@a": 5.0, "train@b": 40.0, "score@b": 1.0}
    found = urgency(GRAPH, seconds)  # `report` is not known: the mean, 59 / 6
    report = 59 / 6
    assert found["report"] == (pytest.approx(report), 0)
    assert found["train@b"] == (pytest.approx(41 + report), 2)
    assert found["data"] == (pytest.approx(17 + report), 3)
    assert found["plan"][0] == pytest.approx(42 + report)
    assert max(("data", "train@b"), key=found.get) == "train@b"

import pytest

from pipeline.metrics import summary


def test_mean_and_spread_of_nested_results():
    results = {"0": {"a": 1.0, "b": {"c": 10}}, "1": {"a": 2.0, "b": {"c": 14}}}
    assert summary.mean(results) == {"a": 1.5, "b": {"c": 12}}
    assert summary.spread(results)["b"]["c"] == pytest.approx(8**0.5)
    assert summary.spread({"0": {"a": 1.0}}) == {"a": None}

import json

import pytest

from pipeline.metrics import summary
from pipeline.runtime.errors import UserError


def test_mean_and_spread_of_nested_results():
    results = {"0": {"a": 1.0, "b": {"c": 10}}, "1": {"a": 2.0, "b": {"c": 14}}}
    assert summary.mean(results) == {"a": 1.5, "b": {"c": 12}}
    assert summary.spread(results)["b"]["c"] == pytest.approx(8**0.5)
    assert summary.spread({"0": {"a": 1.0}}) == {"a": None}


def test_metrics_are_written_with_their_protocol_and_summaries(tmp_path):
    summary.write(tmp_path, {"split": "test"}, {"0": {"a": [1.0, 2.0]}, "4": {"a": [3.0, 2.0]}}, floor=0.5)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "protocol": {"split": "test"},
        "floor": 0.5,
        "seeds": {"0": {"a": [1.0, 2.0]}, "4": {"a": [3.0, 2.0]}},
        "mean": {"a": [2.0, 2.0]},
        "spread": {"a": [pytest.approx(2**0.5), 0.0]},
    }


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path, odd):
    with pytest.raises(UserError, match="seed 4 a b 1 is not a finite number"):
        summary.write(tmp_path, {}, {"0": {"a": {"b": [1.0, 2.0]}}, "4": {"a": {"b": [1.0, odd]}}})
    assert not (tmp_path / "metrics.json").exists()

from pathlib import Path

import pytest

from pipeline.config.params import expand, read
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]


def refusal(family: str, key: str, value: object) -> str:
    params = read(ROOT / "params.yaml")
    params[family][key] = value
    with pytest.raises(UserError) as error:
        expand(params)
    return str(error.value)


def test_each_depth_is_trained_and_scored_and_reads_no_data_set():
    plans = {plan.address: plan for plan in expand(read(ROOT / "params.yaml"))}
    assert [plans[f"train_flow@k{depth}"].settings["depth"] for depth in (2, 8, 32)] == [2, 8, 32]
    assert plans["train_flow@k2"].inputs == {}
    assert plans["score_flow@k2"].inputs == {"model": plans["train_flow@k2"].output}
    assert plans["score_flow@k2"].settings == {"points": plans["train_flow@k2"].settings["points"]}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("iterations", 20001, "flow.iterations: 20001 is not a multiple of 200"),
        ("batch", 6000, "batch 6000 exceeds points 5000"),
        ("constraints", ["smooth", "inplace"], "'inplace' is not one of smooth, in_place; did you mean in_place?"),
        ("densities", ["arcs", "arcs"], "flow.densities: ['arcs', 'arcs'] holds a value twice"),
        ("constraints", [], "flow.constraints: empty"),
        ("runs", {"k2": {"data": "mnist"}}, "flow.runs.k2.data: unknown key"),
    ],
)
def test_what_no_flow_can_be_trained_with_is_refused(key, value, message):
    assert message in refusal("flow", key, value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("draws", [{"mean": 0, "deviation": 0.0, "bias": 0}], "planar.draws[0].deviation: 0.0 is not greater than 0"),
        ("draws", [{"mean": 0, "deviation": 1, "shift": 0}], "planar.draws[0].bias: missing"),
        ("dimensions", [16, 16], "planar.dimensions: [16, 16] holds a value twice"),
    ],
)
def test_what_no_layer_can_be_drawn_from_is_refused(key, value, message):
    assert message in refusal("planar", key, value)

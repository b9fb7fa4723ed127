import pytest
from checkout import params

from pipeline.config.flow import FAMILY, LAYERS
from pipeline.flow.settings import Distribution, SingleLayers, Training
from pipeline.runtime.settings import build, flat

FAMILIES = {family.name: family for family in (FAMILY, LAYERS)}


def test_each_depth_is_trained_and_scored_and_reads_no_data_set():
    section = params()["flow"]
    expanded, errors = FAMILY.expand(section, {})
    plans = {plan.address: plan for plan in expanded}
    assert errors == []
    assert [plans[f"train_flow@k{depth}"].settings["network"]["depth"] for depth in (2, 8, 32)] == [2, 8, 32]
    assert plans["train_flow@k2"].inputs == {}
    assert plans["score_flow@k2"].inputs == {"model": plans["train_flow@k2"].output}
    assert plans["score_flow@k2"].settings == {"points": section["points"]}


def test_every_hyperparameter_reaches_the_training_under_its_own_name():
    section = params()["flow"]
    plan = FAMILY.expand(section, {})[0][0]
    own = {key: value for key, value in section.items() if key != "runs"}
    assert flat(plan.settings) == {**own, "depth": 2}
    training = build(Training, plan.settings)
    assert (training.network.densities, training.seeds) == (("arcs", "sine"), (0,))


def test_single_layers_arrive_typed():
    section = params()["planar"]
    (plan,), errors = LAYERS.expand(section, {})
    layers = build(SingleLayers, plan.settings)
    assert errors == [] and layers.depths == tuple(section["depths"])
    assert layers.distributions[2] == Distribution(mean=10, std=100, bias=10)


def refusal(family: str, key: str, value: object) -> str:
    _, errors = FAMILIES[family].expand({**params()[family], key: value}, {})
    return "\n".join(errors)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("steps", 20001, "flow.steps: 20001 is not a multiple of 200"),
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
        ("distributions", [{"mean": 0, "std": 0.0, "bias": 0}], "planar.distributions[0].std: 0.0 is not greater than"),
        ("distributions", [{"mean": 0, "std": 1, "shift": 0}], "planar.distributions[0].bias: missing"),
        ("dimensions", [16, 16], "planar.dimensions: [16, 16] holds a value twice"),
    ],
)
def test_what_no_layer_can_be_sampled_from_is_refused(key, value, message):
    assert message in refusal("planar", key, value)

from pathlib import Path

import pytest

from pipeline.config.params import expand, read
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params():
    return read(ROOT / "params.yaml")


def test_a_run_is_trained_and_scored_with_what_each_needs(params):
    plans = {plan.address: plan for plan in expand(params)}
    train, score = plans["train_simsiam@no_predictor"], plans["score_simsiam@no_predictor"]
    assert (
        train.settings["network"]["predictor"] == "identity" and train.settings["network"]["predictor_hidden"] is None
    )
    assert (
        plans["train_simsiam@default"].settings["network"]["predictor_hidden"] == params["simsiam"]["predictor_hidden"]
    )
    assert score.inputs == {"data": train.inputs["data"], "model": train.output}
    assert score.settings["augmentation"] == train.settings["augmentation"]
    assert "probe_epochs" not in train.settings and "epochs" not in score.settings


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stem", "cifra", "simsiam.stem: 'cifra' is not one of imagenet, cifar, halving; did you mean cifar?"),
        ("predictor", None, "simsiam.predictor: None is not one of mlp, identity, fixed"),
        ("crop", [0.5], "simsiam.crop: [0.5] is not [smallest, largest] share of the area"),
        ("crop", [0.0, 1.0], "above 0 and at most 1"),
        ("crop", [0.9, 0.5], "is not [smallest, largest]"),
        ("jitter", [0.4, 0.4, 0.4], "is not [brightness, contrast, saturation, hue]"),
        ("jitter", [0.4, 0.4, 0.4, 0.6], "from 0 to 1, 1, 1 and 0.5"),
        ("mean", [0.5, 0.5], "simsiam.mean: [0.5, 0.5] is not [red, green, blue]"),
        ("deviation", [0.5, 0.5, 0.0], "a standard deviation is above 0"),
        ("batch", 1, "simsiam.batch: 1 is not at least 2"),
        ("grey", 1.5, "simsiam.grey: 1.5 is not at most 1"),
        ("momentum", 1.0, "simsiam.momentum: 1.0 is not less than 1"),
        ("stop_gradient", "no", "simsiam.stop_gradient: 'no' is not true or false"),
    ],
)
def test_what_cannot_be_trained_is_refused(params, key, value, message):
    params["simsiam"][key] = value
    with pytest.raises(UserError) as error:
        expand(params)
    assert message in str(error.value)

import pytest

from pipeline.config.simsiam import FAMILY
from pipeline.runtime.settings import build, flat
from pipeline.simsiam.settings import Scoring, Training

BASE = {
    "backbone": "resnet10", "width": 8, "stem": "halving", "projector_hidden": 256, "projector_output": 256,
    "predictor": "mlp", "predictor_hidden": 64, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
    "stop_gradient": True, "crop": [0.5, 1.0], "rotation": 180.0, "flip": 0.5, "jitter": [0.4, 0.4, 0.4, 0.1],
    "jitter_probability": 0.8, "greyscale": 0.2, "epochs": 6, "batch": 128, "learning_rate": 1.6, "momentum": 0.9,
    "weight_decay": 0.0005, "precision": "fp32", "knn_features": "projector", "knn_neighbours": 50,
    "knn_temperature": 0.1, "probe_l2": 0.001, "seeds": [0],
}  # fmt: skip
RUNS = {"default": {"data": "set"}, "no_predictor": {"data": "set", "predictor": "identity"}}


def expand(**changes):
    return FAMILY.expand({**BASE, **changes, "runs": RUNS}, {"data": ["set"]})


def plans(**changes):
    found, errors = expand(**changes)
    assert errors == []
    return {plan.address: plan for plan in found}


def test_a_run_is_trained_and_scored_with_what_each_needs():
    train, score = plans()["train_simsiam@no_predictor"], plans()["score_simsiam@no_predictor"]
    assert score.inputs == {"data": train.inputs["data"], "model": train.output}
    training, scoring = build(Training, train.settings), build(Scoring, score.settings)
    assert training.augmentation == scoring.augmentation and training.monitor == scoring.monitor
    assert "probe_l2" not in flat(train.settings) and "epochs" not in flat(score.settings)
    assert flat(plans()["train_simsiam@default"].settings) == {
        key: value for key, value in BASE.items() if key != "probe_l2"
    }


def test_what_a_run_does_not_use_does_not_run_it_again():
    before, after = plans(), plans(predictor_hidden=99)
    assert before["train_simsiam@no_predictor"] == after["train_simsiam@no_predictor"]
    assert before["train_simsiam@default"] != after["train_simsiam@default"]
    assert plans(probe_l2=1.0)["train_simsiam@default"] == before["train_simsiam@default"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stem", "cifra", "simsiam.stem: 'cifra' is not one of imagenet, cifar, halving; did you mean cifar?"),
        ("predictor", None, "simsiam.predictor: None is not one of mlp, identity, fixed"),
        ("precision", "fp16", "simsiam.precision: 'fp16' is not one of fp32, tf32, bf16"),
        ("crop", [0.5], "simsiam.crop: [0.5] is not [smallest, largest] share of the area"),
        ("crop", [0.0, 1.0], "above 0 and at most 1"),
        ("crop", [0.9, 0.5], "is not [smallest, largest]"),
        ("jitter", [0.4, 0.4, 0.4], "is not [brightness, contrast, saturation, hue]"),
        ("jitter", [0.4, 0.4, 0.4, 0.6], "from 0 to 1, 1, 1 and 0.5"),
        ("mean", [0.5, 0.5], "simsiam.mean: [0.5, 0.5] is not [red, green, blue]"),
        ("std", [0.5, 0.5, 0.0], "a standard deviation is above 0"),
        ("batch", 1, "simsiam.batch: 1 is not at least 2"),
        ("greyscale", 1.5, "simsiam.greyscale: 1.5 is not at most 1"),
        ("momentum", 1.0, "simsiam.momentum: 1.0 is not less than 1"),
        ("probe_l2", 0.0, "simsiam.probe_l2: 0.0 is not greater than 0"),
        ("stop_gradient", "no", "simsiam.stop_gradient: 'no' is not true or false"),
    ],
)
def test_what_cannot_be_trained_is_refused(key, value, message):
    _, errors = expand(**{key: value})
    assert message in "\n".join(errors)

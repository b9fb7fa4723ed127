import pytest

from pipeline.config.features import FAMILY
from pipeline.features.settings import Architecture, Evaluation
from pipeline.runtime.settings import build, flat

BASE = {
    "network": "classifier", "weights": "official", "width": 24, "dimensions": 64, "epochs": 8, "batch": 100,
    "learning_rate": 0.005, "weight_decay": 0.01, "noise": 0.05, "augment": "none", "seed": 0, "precision": "fp32",
    "reference": "test", "reference_classes": [],
    "samples": 2000, "splits": 10, "kid_subsets": 10, "kid_subset_size": 1000, "neighbours": 3,
}  # fmt: skip
RUNS = {"own": {"data": "set"}, "fid": {"data": "set", "network": "inception", "weights": "random"}}


def expand(**changes):
    return FAMILY.expand({**BASE, **changes, "runs": RUNS}, {"data": ["set"]})


def evaluations(**changes):
    plans, errors = expand(**changes)
    assert errors == []
    return {plan.run: build(Evaluation, plan.settings) for plan in plans}


def test_a_classifier_is_trained_and_inception_has_only_its_weights():
    own, fid = evaluations()["own"], evaluations()["fid"]
    assert own.architecture == Architecture(24, 64) and own.training.epochs == 8 and own.weights is None
    assert (fid.network, fid.weights, fid.architecture, fid.training) == ("inception", "random", None, None)
    changed = evaluations(epochs=9)
    assert changed["own"] != own and changed["fid"] == fid


def test_settings_have_the_names_of_their_hyperparameters():
    plan, *_ = expand()[0]
    assert flat(plan.settings) == {**BASE, "weights": None}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("network", "inceptionn", "features.network: 'inceptionn' is not one of classifier, "),
        ("weights", "own", "features.weights: 'own' is not one of official, random"),
        ("reference", "valid", "features.reference: 'valid' is not one of train, test"),
        ("precision", "bf32", "features.precision: 'bf32' is not one of fp32, tf32, bf16"),
        ("kid_subset_size", 1, "features.kid_subset_size: 1 is not at least 2"),
        ("noise", -0.1, "features.noise: -0.1 is not at least 0"),
    ],
)
def test_mistakes_are_named(key, value, message):
    _, errors = expand(**{key: value})
    assert message in "\n".join(errors)

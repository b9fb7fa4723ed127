from pathlib import Path

import pytest

from pipeline.config.params import expand, read
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params():
    return read(ROOT / "params.yaml")


def settings(params, run):
    return next(plan.settings for plan in expand(params) if plan.address == f"features@{run}")


def test_the_classifier_knows_its_training_and_inception_only_its_weights(params):
    params["features"]["runs"]["other"] = {"data": "shapes32", "network": "inception", "weights": "random"}
    classifier, inception = settings(params, "shapes32"), settings(params, "other")
    assert classifier["feature_network"] == {"kind": "classifier", "width": 24, "dimensions": 64}
    assert classifier["training"]["epochs"] == 8
    assert inception["feature_network"] == {"kind": "inception", "weights": "random"}
    assert inception["training"] is None
    params["features"]["epochs"] = 9
    assert settings(params, "shapes32") != classifier
    assert settings(params, "other") == inception


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("network", "inceptionn", "features.network: 'inceptionn' is not one of classifier, inception; did you mean"),
        ("weights", "own", "features.weights: 'own' is not one of official, random"),
        ("reference", "valid", "features.reference: 'valid' is not one of train, test"),
        ("kid_subset_size", 1, "features.kid_subset_size: 1 is not at least 2"),
        ("noise", -0.1, "features.noise: -0.1 is not at least 0"),
    ],
)
def test_mistakes_are_named(params, key, value, message):
    params["features"][key] = value
    with pytest.raises(UserError) as error:
        expand(params)
    assert message in str(error.value)

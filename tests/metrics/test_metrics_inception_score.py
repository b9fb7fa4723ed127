import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from pipeline.metrics.inception_score import inception_score


def test_a_uniform_predictor_scores_one():
    assert inception_score(torch.zeros(100, 10), splits=10) == (
        pytest.approx(1, abs=1e-12),
        pytest.approx(0, abs=1e-12),
    )


def test_a_sure_predictor_of_all_classes_scores_their_number_and_of_one_class_scores_one():
    sure = 1000 * torch.eye(10).repeat(30, 1)
    assert inception_score(sure, splits=1)[0] == pytest.approx(10, rel=1e-12)
    assert inception_score(sure[:1].expand(50, -1), splits=3)[0] == pytest.approx(1, abs=1e-12)


def test_two_sure_predictions_in_unequal_shares_by_hand():
    """p(y) = (1/4, 3/4), one-hot p(y|x): the score is exp of the entropy of p(y)."""
    logits = torch.tensor([[500.0, 0.0], [0.0, 500.0], [0.0, 500.0], [0.0, 500.0]])
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert inception_score(logits, splits=1)[0] == pytest.approx(np.exp(entropy), rel=1e-12)


@pytest.mark.parametrize(("n", "splits"), [(1000, 10), (1003, 10), (50, 1)])  # 1003: parts of unequal size
def test_agrees_with_torch_fidelity(n, splits):
    logits = 5 * torch.randn(n, 20, generator=torch.Generator().manual_seed(1))
    theirs = isc_features_to_metric(logits, splits=splits)
    mean, spread = inception_score(logits, splits)
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert spread == pytest.approx(theirs["inception_score_std"], rel=1e-9, abs=1e-12)


def test_a_class_that_no_image_can_have_gives_no_nan():
    logits = torch.zeros(20, 3)
    logits[:, 0] = -1e5  # exp underflows to 0 in double precision too
    assert inception_score(logits, splits=2)[0] == pytest.approx(1, abs=1e-12)
    assert np.isnan(isc_features_to_metric(logits, splits=2)["inception_score_mean"])  # why the score is our own


def test_fewer_images_than_splits_are_refused():
    with pytest.raises(ValueError, match="3 images cannot be cut into 4 splits"):
        inception_score(torch.zeros(3, 2), splits=4)

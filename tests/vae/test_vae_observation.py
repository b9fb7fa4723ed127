"""Likelihoods against torch.distributions, torch's own losses and sums over grey levels."""

import math

import pytest
import torch
from torch import distributions as D
from torch.nn import functional as F

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.vae.objective import beta_at, saturating_cross_entropy
from pipeline.vae.observation import Observation

LEVELS = 256


@pytest.fixture
def data():
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, LEVELS, (30, 3, 4, 4), dtype=torch.uint8, generator=random)
    images[:, 0] //= 3
    return DataSet({"name": "noise", "levels": LEVELS}, {"train": images}, {})


@pytest.mark.parametrize(("likelihood", "low", "high"), [("cross_entropy", 0, 1), ("gaussian", -1, 1)])
def test_scales(data, likelihood, low, high):
    x = Observation.of(likelihood, data).scale(torch.tensor([0, 255], dtype=torch.uint8))
    torch.testing.assert_close(x, torch.tensor([low, high], dtype=torch.float32))


def test_standardised_training_images_have_mean_zero_and_variance_one(data):
    x = Observation.of("gaussian_standardised", data).scale(data.split("train")).double()
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x.var(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_a_bernoulli_likelihood_needs_binary_images(data):
    with pytest.raises(DataError, match="256 grey levels"):
        Observation.of("bernoulli", data)


@pytest.mark.parametrize(("likelihood", "variance"), [("gaussian", 0.5), ("gaussian_standardised", 1.0)])
def test_gaussian_log_density_with_its_constant(data, likelihood, variance):
    observation = Observation.of(likelihood, data)
    x = observation.scale(data.split("train")[:5].flatten(1)).double()
    outputs = torch.randn(5, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = D.Normal(outputs, math.sqrt(variance)).log_prob(x).sum(-1)
    torch.testing.assert_close(observation.log_score(x, outputs) + observation.constant, expected)
    if likelihood == "gaussian":  # report 003's loss is the bare sum of squares
        torch.testing.assert_close(-observation.log_score(x, outputs), ((x - outputs) ** 2).sum(-1))


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_standardised"])
def test_bits_bound_the_probability_of_a_level_from_above_and_nearly_touch_it(data, likelihood):
    """P(level) is an integral over its interval, known from the error function."""
    full = Observation.of(likelihood, data)
    observation = Observation(likelihood, 1, full.spacing, full.lowest)
    normal = D.Normal(torch.tensor(0.2, dtype=torch.float64), math.sqrt({"gaussian": 0.5}.get(likelihood, 1.0)))
    for level in (0, 100, 255):
        x = torch.tensor(full.lowest + level * full.spacing, dtype=torch.float64)
        exact = -torch.log2(normal.cdf(x + full.spacing / 2) - normal.cdf(x - full.spacing / 2)).item()
        bits = observation.bits(normal.log_prob(x).item())
        assert exact <= bits < exact + 1e-4


def test_bits_of_a_uniform_model():
    """A density of 1/2 on [-1, 1] gives each level, an interval of 2/255, a probability of 1/255: 7.99 bits."""
    observation = Observation("gaussian", 10, 2 / 255, -1.0)
    assert observation.bits(10 * math.log(0.5)) == pytest.approx(math.log2(255), abs=1e-4)
    assert Observation("bernoulli", 10, 1.0, 0.0).bits(-10 * math.log(2)) == pytest.approx(1.0)


def test_pictures_undo_the_scaling(data):
    images = data.split("train")
    for likelihood in ("gaussian", "gaussian_standardised"):
        observation = Observation.of(likelihood, data)
        torch.testing.assert_close(
            observation.picture(observation.scale(images), LEVELS), images / 255, atol=1e-6, rtol=0
        )
    logits = torch.randn(4)
    torch.testing.assert_close(Observation.of("cross_entropy", data).picture(logits, LEVELS), logits.sigmoid())


def test_saturating_cross_entropy_is_torchs_for_targets_that_torch_allows():
    random = torch.Generator().manual_seed(2)
    logits = (30 * torch.randn(6, 50, generator=random)).requires_grad_()
    x = torch.rand(6, 50, generator=random)
    ours = saturating_cross_entropy(x, logits)
    torchs = F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").sum(-1)
    torch.testing.assert_close(ours, torchs)
    gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (ours, torchs)]
    torch.testing.assert_close(*gradients)


def test_outside_the_unit_interval_the_cross_entropy_is_negative_and_its_gradient_stops_where_the_sigmoid_rounds():
    logits = torch.tensor([[3.0, 20.0]], requires_grad=True)
    value = saturating_cross_entropy(torch.tensor([[2.8, 2.8]]), logits)
    value.sum().backward()
    assert value.item() < 0
    assert logits.grad[0, 0].item() == pytest.approx(torch.sigmoid(torch.tensor(3.0)).item() - 2.8, abs=1e-5)
    assert logits.grad[0, 1].item() == 0.0


def test_beta_at_every_epoch():
    assert [beta_at(e, 20, 1.2, "constant") for e in range(1, 21)] == [1.2] * 20
    assert [beta_at(e, 20, 1.0, "linear") for e in range(1, 21)] == pytest.approx([e / 20 for e in range(20)])
    assert beta_at(20, 20, 1.0, "linear") == pytest.approx(0.95)

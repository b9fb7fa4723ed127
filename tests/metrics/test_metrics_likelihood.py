import math

import pytest
import torch
from torch import Tensor

from pipeline.metrics.likelihood import (
    effective_sample_size,
    log_mean_exp,
    log_weights,
    mean_and_error,
    nested_estimates,
)


class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(Wz + b, s^2 I): evidence and posterior in closed form.

    `widen` scales the standard deviation of q(z|x) against the exact posterior's.
    """

    def __init__(self, widen: float, latent: int = 3, pixels: int = 5) -> None:
        random = torch.Generator().manual_seed(0)
        self.W = torch.randn(pixels, latent, dtype=torch.float64, generator=random)
        self.b = torch.randn(pixels, dtype=torch.float64, generator=random)
        self.s, self.latent = 0.7, latent
        covariance = torch.linalg.inv(torch.eye(latent, dtype=torch.float64) + self.W.T @ self.W / self.s**2)
        self.gain = covariance @ self.W.T / self.s**2
        self.scale = widen * torch.linalg.cholesky(covariance)

    def evidence(self, x: Tensor) -> Tensor:
        covariance = self.W @ self.W.T + self.s**2 * torch.eye(len(self.b), dtype=torch.float64)
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)

    def sample_latents(self, x: Tensor, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        q = torch.distributions.MultivariateNormal(((x - self.b) @ self.gain.T)[:, None], scale_tril=self.scale)
        z = q.mean + torch.randn(len(x), samples, self.latent, dtype=torch.float64, generator=random) @ self.scale.T
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
        return z, prior - q.log_prob(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return torch.distributions.Normal(z @ self.W.T + self.b, self.s).log_prob(x[:, None]).sum(-1)


X = torch.randn(50, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_exact_posterior_gives_the_evidence_from_a_single_sample():
    model = LinearGaussian(widen=1.0)
    weights = log_weights(model, X, 4, torch.Generator().manual_seed(2))
    torch.testing.assert_close(weights, model.evidence(X)[:, None].expand(50, 4), rtol=1e-10, atol=1e-10)


def test_a_wrong_posterior_converges_to_the_evidence_from_below_monotonically_in_k():
    model = LinearGaussian(widen=1.6)
    weights = log_weights(model, X, 10_000, torch.Generator().manual_seed(3))
    bounds = nested_estimates(weights, [1, 10, 100, 1000, 10_000]).mean(0)
    evidence = model.evidence(X).mean()
    assert (bounds.diff() > 0).all()
    assert evidence - bounds[0] > 0.5
    assert abs(evidence - bounds[-1]) < 0.01


def test_every_image_has_as_many_weights_as_samples_were_asked_for():
    model = LinearGaussian(widen=1.3)
    assert log_weights(model, X, 77, torch.Generator().manual_seed(4)).shape == (50, 77)


def test_log_mean_exp_where_single_precision_underflows():
    values = torch.full((2, 8), -900.0)
    values[1] = torch.log(torch.arange(1.0, 9.0)) - 900
    expected = torch.tensor([-900.0, math.log(4.5) - 900], dtype=torch.float64)
    torch.testing.assert_close(log_mean_exp(values), expected, rtol=0, atol=1e-4)


def test_nested_estimates_by_a_loop():
    weights = torch.randn(3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    for column, k in enumerate([1, 4, 12]):
        for i in range(3):
            groups = [weights[i, g * k : (g + 1) * k].exp().mean().log() for g in range(12 // k)]
            expected = torch.stack(groups).mean().item()
            assert nested_estimates(weights, [1, 4, 12])[i, column].item() == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="5 does not divide the 12 samples"):
        nested_estimates(weights, [5])


def test_effective_sample_size_between_one_and_k():
    equal, single = torch.zeros(2, 10), torch.full((2, 10), -1e4)
    single[:, ::5] = 0.0  # one dominating sample in each group of five
    torch.testing.assert_close(effective_sample_size(equal, 5), torch.full((2,), 5.0, dtype=torch.float64))
    torch.testing.assert_close(effective_sample_size(single, 5), torch.ones(2, dtype=torch.float64))
    weights = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).log()
    assert effective_sample_size(weights, 4).item() == pytest.approx(100 / 30)


def test_mean_and_standard_error():
    assert mean_and_error(torch.tensor([1.0, 2.0, 3.0, 4.0])) == pytest.approx((2.5, math.sqrt(5 / 3) / 2))
    assert mean_and_error(torch.tensor([7.0])) == (7.0, 0.0)

import pytest
import torch
from torch import distributions as D
from torch.autograd import gradcheck

from pipeline.vae.objective import (
    bernoulli_log_likelihood,
    kl_analytic,
    kl_monte_carlo,
    sample_gaussian,
)


@pytest.mark.parametrize("pixels", [1, 7, 64, 67, 784])
def test_bernoulli_log_likelihood_is_that_of_torch_distributions(pixels):
    logits = 4 * torch.randn(5, pixels, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = (logits > 1).double()
    expected = D.Bernoulli(logits=logits).log_prob(x).sum(-1)
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected, rtol=1e-12, atol=1e-12)


def test_bernoulli_log_likelihood_at_extreme_logits_in_single_precision():
    logits = torch.tensor([[-200.0, 200.0, -90.0, 90.0]])
    assert bernoulli_log_likelihood(torch.tensor([[1.0, 0.0, 0.0, 1.0]]), logits).item() == -400.0
    assert bernoulli_log_likelihood(torch.tensor([[0.0, 1.0, 0.0, 1.0]]), logits).item() == pytest.approx(
        0.0, abs=1e-30
    )


def test_bernoulli_log_likelihood_keeps_single_precision_over_784_pixels():
    random = torch.Generator().manual_seed(1)
    logits = 5 * torch.randn(100, 784, generator=random)
    x = (torch.rand(100, 784, generator=random) < 0.3).float()
    exact = bernoulli_log_likelihood(x.double(), logits.double())
    assert (bernoulli_log_likelihood(x, logits).double() - exact).abs().max() < 2e-3  # nats, of about -1500


def test_bernoulli_log_likelihood_broadcasts_images_over_samples():
    random = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 4, 16, generator=random)
    x = (torch.rand(3, 16, generator=random) < 0.5).float()
    together = bernoulli_log_likelihood(x[:, None], logits)
    for i in range(3):
        for k in range(4):
            assert together[i, k].item() == pytest.approx(
                bernoulli_log_likelihood(x[i : i + 1], logits[i, k : k + 1]).item()
            )


def test_gradients_by_finite_differences():
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(3, 14, dtype=torch.float64, generator=random, requires_grad=True)
    x = (torch.rand(3, 14, generator=random) < 0.5).double()
    assert gradcheck(lambda value: bernoulli_log_likelihood(x, value), logits)


def test_analytic_kl_is_that_of_torch_distributions():
    random = torch.Generator().manual_seed(4)
    mean, logvar = torch.randn(2, 6, 9, dtype=torch.float64, generator=random)
    posterior = D.Normal(mean, torch.exp(logvar / 2))
    prior = D.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(kl_analytic(mean, logvar), D.kl_divergence(posterior, prior).sum(-1))
    assert kl_analytic(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0.0, 0.0]


def test_monte_carlo_kl_is_the_mean_log_ratio_of_its_samples():
    random = torch.Generator().manual_seed(5)
    mean, logvar = torch.randn(2, 4, 3, dtype=torch.float64, generator=random)
    noise = torch.randn(20, 4, 3, dtype=torch.float64, generator=random)
    z = sample_gaussian(mean, logvar, noise)
    by_densities = (D.Normal(mean, torch.exp(logvar / 2)).log_prob(z) - D.Normal(0, 1).log_prob(z)).sum(-1).mean(0)
    torch.testing.assert_close(kl_monte_carlo(mean, logvar, noise), by_densities)


def test_monte_carlo_kl_and_its_gradient_converge_to_the_closed_form():
    random = torch.Generator().manual_seed(6)
    mean, logvar = (0.5 * torch.randn(2, 2, 3, dtype=torch.float64, generator=random)).unbind()
    mean.requires_grad_(), logvar.requires_grad_()
    noise = torch.randn(200_000, 2, 3, dtype=torch.float64, generator=random)
    estimate, exact = kl_monte_carlo(mean, logvar, noise), kl_analytic(mean, logvar)
    torch.testing.assert_close(estimate, exact, rtol=0, atol=0.02)
    estimated = torch.autograd.grad(estimate.sum(), (mean, logvar))
    for gradient, expected in zip(estimated, torch.autograd.grad(exact.sum(), (mean, logvar)), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=0, atol=0.02)

import torch

from pipeline.flow import planar
from pipeline.vae.posterior import Posterior


def flow_posterior(random):
    """Return the posterior of three images with two planar layers each, in two dimensions."""
    mean, logvar = torch.randn(2, 3, 2, dtype=torch.float64, generator=random)
    u, w = torch.randn(2, 3, 2, 2, dtype=torch.float64, generator=random)
    return Posterior(
        mean, logvar - 1, (planar.smooth(u, w), w, torch.randn(3, 2, dtype=torch.float64, generator=random))
    )


def test_the_density_of_a_flow_posterior_integrates_to_one_and_is_that_of_its_samples():
    q = flow_posterior(torch.Generator().manual_seed(1))
    side = torch.linspace(-10, 10, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side).expand(3, -1, 2)
    origin, determinant = planar.inverse(grid, *q.layers)
    base = torch.distributions.Normal(q.mean[:, None], torch.exp(q.logvar / 2)[:, None])
    log_q = base.log_prob(origin).sum(-1) - determinant
    area = (side[1] - side[0]) ** 2
    torch.testing.assert_close(log_q.exp().sum(-1) * area, torch.ones(3, dtype=torch.float64), rtol=0, atol=2e-3)
    # the same density at samples, where `sample` gives it minus that of the prior
    z, ratio = q.sample(torch.randn(50, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))
    origin, determinant = planar.inverse(z.transpose(0, 1), *q.layers)
    at_samples = base.log_prob(origin).sum(-1) - determinant
    torch.testing.assert_close(ratio.T + planar.standard_normal(z.transpose(0, 1)), at_samples, rtol=1e-6, atol=1e-6)
    # and KL by quadrature is the mean of the ratio over many samples
    kl = (log_q.exp() * (log_q - planar.standard_normal(grid))).sum(-1) * area
    many = torch.randn(100_000, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(q.sample(many)[1].mean(0), kl, rtol=0, atol=0.03)


def test_layers_that_do_nothing_leave_the_gaussian_posterior():
    random = torch.Generator().manual_seed(4)
    mean, logvar = torch.randn(2, 3, 2, generator=random)
    noise = torch.randn(7, 3, 2, generator=random)
    still = (torch.zeros(3, 4, 2), torch.ones(3, 4, 2), torch.ones(3, 4))
    for transformed, plain in zip(
        Posterior(mean, logvar, still).sample(noise), Posterior(mean, logvar).sample(noise), strict=True
    ):
        torch.testing.assert_close(transformed, plain)

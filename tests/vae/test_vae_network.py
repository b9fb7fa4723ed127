import math

import pytest
import torch
from torch import nn

from pipeline.data.errors import DataError
from pipeline.flow import planar
from pipeline.metrics.likelihood import log_mean_exp, log_weights
from pipeline.runtime.seeding import generator, seeded
from pipeline.vae import network as networks
from pipeline.vae.evaluate import summary, terms
from pipeline.vae.network import Posterior
from pipeline.vae.train import losses

GREY, COLOUR = [1, 28, 28], [3, 32, 32]


def settings(network="mlp", shape=GREY, hidden=8, latent=5, likelihood="bernoulli", **changes):
    observation = {"likelihood": likelihood, "pixels": math.prod(shape), "step": 1.0, "lowest": 0.0}
    own = {"posterior": "gaussian", "flow_layers": 0, "logit_shift": 5.0, "observation": observation}
    return {"network": network, "shape": shape, "hidden": hidden, "latent": latent, **own, **changes}


def build(*arguments, **changes):
    with seeded(0, "init"):
        return networks.build(**settings(*arguments, **changes))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("arguments", "changes", "encoder", "decoder"),
    [
        (("mlp", GREY, 300, 100), {}, 386_000, 356_584),
        (("mlp_shallow", GREY, 300, 16), {}, 245_132, 241_084),
    ],
)
def test_the_mlps_have_the_reports_parameter_counts(arguments, changes, encoder, decoder):
    model = build(*arguments, **changes)
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)


@pytest.mark.parametrize(
    ("latent", "posterior", "millions"),
    [(16, "deterministic", 0.916), (128, "deterministic", 1.604), (1024, "deterministic", 7.110),
     (1024, "gaussian", 11.305)],
)  # fmt: skip
def test_the_convolutional_networks_have_report_003s_parameter_counts(latent, posterior, millions):
    model = build("conv32", COLOUR, 32, latent, posterior=posterior)
    assert count(model) / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        ("mlp", GREY),
        ("mlp", COLOUR),
        ("mlp_shallow", COLOUR),
        ("conv", GREY),
        ("conv32", COLOUR),
        ("conv32", [1, 16, 16]),
    ],
)
@pytest.mark.parametrize("flow_layers", [0, 2])
def test_shapes(network, shape, flow_layers):
    model, pixels = build(network, shape, flow_layers=flow_layers), math.prod(shape)
    x = torch.zeros(3, *shape)
    q = model.posterior(x)
    assert q.mean.shape == q.logvar.shape == q.code().shape == (3, 5)
    z, ratio = q.sample(torch.randn(4, 3, 5))
    assert z.shape == (4, 3, 5) and ratio.shape == (4, 3)
    assert model.decode(z).shape == (4, 3, pixels)
    assert model.log_score(x, z).shape == (4, 3)
    assert model.log_likelihood(x, torch.zeros(3, 2, 5)).shape == (3, 2)


@pytest.mark.parametrize(("network", "shape"), [("conv", COLOUR), ("conv32", GREY), ("conv32", [3, 32, 40])])
def test_a_network_refuses_images_it_is_not_made_for(network, shape):
    with pytest.raises(DataError, match=f"these are {shape[1]}x{shape[2]}"):
        build(network, shape)


def test_logits_are_lowered_by_the_shift():
    z = torch.ones(2, 5)
    for shift in (5.0, None):
        model = build(logit_shift=shift)
        torch.testing.assert_close(model.decode(z), model.decoder(z) - (shift or 0))


def test_an_autoencoder_has_a_code_and_nothing_else():
    model = build(posterior="deterministic")
    q = model.posterior(torch.rand(3, *GREY))
    assert q.logvar is None and q.code() is q.mean
    images = torch.zeros(3, *GREY, dtype=torch.uint8)
    assert set(summary(model, terms(model, images, torch.Generator()), None)) == {"loss", "reconstruction"}


def test_draws_come_with_their_prior_and_posterior_densities():
    model = build(latent=3).double()
    x = torch.rand(4, *GREY, dtype=torch.float64)
    z, ratio = model.draw(x, 6, torch.Generator().manual_seed(0))
    q = model.posterior(x)
    posterior = torch.distributions.Normal(q.mean[:, None], torch.exp(q.logvar / 2)[:, None])
    prior = torch.distributions.Normal(torch.zeros(3, dtype=torch.float64), 1)
    torch.testing.assert_close(ratio, (prior.log_prob(z) - posterior.log_prob(z)).sum(-1))


def flow_posterior(random):
    """Return the posterior of three images with two planar layers each, in two dimensions."""
    mean, logvar = torch.randn(2, 3, 2, dtype=torch.float64, generator=random)
    u, w = torch.randn(2, 3, 2, 2, dtype=torch.float64, generator=random)
    return Posterior(
        mean, logvar - 1, (planar.smooth(u, w), w, torch.randn(3, 2, dtype=torch.float64, generator=random))
    )


def test_the_density_of_a_flow_posterior_integrates_to_one_and_is_that_of_its_draws():
    q = flow_posterior(torch.Generator().manual_seed(1))
    side = torch.linspace(-12, 12, 961, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side).expand(3, -1, 2)
    start, determinant = planar.inverse(grid, *q.layers)
    base = torch.distributions.Normal(q.mean[:, None], torch.exp(q.logvar / 2)[:, None])
    log_q = base.log_prob(start).sum(-1) - determinant
    area = (side[1] - side[0]) ** 2
    torch.testing.assert_close(log_q.exp().sum(-1) * area, torch.ones(3, dtype=torch.float64), rtol=0, atol=2e-3)
    # the same density at draws, where `sample` gives it less that of the prior
    z, ratio = q.sample(torch.randn(50, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))
    start, determinant = planar.inverse(z.transpose(0, 1), *q.layers)
    at_draws = base.log_prob(start).sum(-1) - determinant
    torch.testing.assert_close(ratio.T + planar.standard_normal(z.transpose(0, 1)), at_draws, rtol=1e-6, atol=1e-6)
    # and KL by quadrature is the mean of the ratio over many draws
    kl = (log_q.exp() * (log_q - planar.standard_normal(grid))).sum(-1) * area
    many = torch.randn(100_000, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(q.sample(many)[1].mean(0), kl, rtol=0, atol=0.03)


def test_layers_that_do_nothing_leave_the_gaussian_posterior():
    random = torch.Generator().manual_seed(4)
    mean, logvar = torch.randn(2, 3, 2, generator=random)
    noise = torch.randn(7, 3, 2, generator=random)
    still = (torch.zeros(3, 4, 2), torch.ones(3, 4, 2), torch.ones(3, 4))
    for moved, plain in zip(
        Posterior(mean, logvar, still).sample(noise), Posterior(mean, logvar).sample(noise), strict=True
    ):
        torch.testing.assert_close(moved, plain)


@pytest.mark.parametrize("flow_layers", [0, 3])
def test_importance_sampling_finds_the_likelihood_that_quadrature_finds(flow_layers):
    """Two latent dimensions: log p(x) is an integral in the plane."""
    model = build(hidden=4, latent=2, flow_layers=flow_layers, shape=[1, 2, 2]).double()
    x = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]], dtype=torch.float64)
    side = torch.linspace(-7, 7, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)[None]
    with torch.no_grad():
        joint = model.log_likelihood(x, grid) + planar.standard_normal(grid)
    exact = torch.logsumexp(joint, -1) + 2 * math.log(side[1] - side[0])
    estimate = log_mean_exp(log_weights(model, x, 40_000, generator("quadrature")))
    torch.testing.assert_close(estimate, exact, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("posterior", "beta"), [("gaussian", 0.8), ("gaussian", 0.0), ("mean", 0.8), ("mean", 0.0), ("deterministic", None)]
)
def test_the_loss_is_reconstruction_plus_beta_kl(posterior, beta):
    model = build("mlp_shallow", COLOUR, likelihood="gaussian", posterior=posterior, logit_shift=None)
    x = 2 * torch.rand(6, *COLOUR, generator=generator("x")) - 1
    loss = losses(model, x, generator("noise"), beta=beta, kl_samples=None)
    q = model.posterior(x)
    noise = torch.randn(q.mean.shape, generator=generator("noise"))
    z = q.mean + torch.exp(q.logvar / 2) * noise if posterior == "gaussian" else q.mean
    outputs = model.decoder(z).view(x.shape)
    expected = ((x - outputs) ** 2).sum((1, 2, 3))  # over pixels; the mean is over images alone
    if beta:
        expected = expected - beta * 0.5 * (1 + q.logvar - q.mean**2 - q.logvar.exp()).sum(1)
    torch.testing.assert_close(loss, expected)


def test_the_loss_of_a_flow_posterior_is_minus_the_elbo_of_its_draw():
    model = build(flow_layers=2)
    x = (torch.rand(6, *GREY, generator=generator("x")) < 0.3).float()
    loss = losses(model, x, generator("noise"), beta=1.0, kl_samples=None)
    q = model.posterior(x)
    z, ratio = q.sample(torch.randn(q.mean.shape, generator=generator("noise")))
    torch.testing.assert_close(loss, ratio - model.log_likelihood(x, z[:, None]).squeeze(1))
    loss.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_the_elbo_is_reported_at_beta_one_with_all_constants():
    model = build(likelihood="gaussian", logit_shift=None)
    images = torch.randint(0, 2, (40, *GREY), dtype=torch.uint8, generator=generator("images"))
    found = terms(model, images, generator("draws"), draws=3)
    means = summary(model, found, 0.3)
    q = model.posterior(images.float())
    z, _ = q.sample(torch.randn((3, *q.mean.shape), generator=generator("draws")))
    outputs = torch.distributions.Normal(model.decode(z), math.sqrt(0.5))
    expected = outputs.log_prob(images.float().flatten(1)).sum(-1).mean() - found["kl"].mean()
    assert means["elbo"] == pytest.approx(expected.item(), rel=1e-5)
    assert means["loss"] == pytest.approx(means["reconstruction"] + 0.3 * means["kl"], rel=1e-12)


def test_saved_models_come_back_bit_for_bit(tmp_path):
    models = {seed: networks.build(**settings()) for seed in (0, 10, 2)}
    earlier = networks.build(**settings())
    weights = {seed: model.state_dict() for seed, model in models.items()}
    networks.save(tmp_path, settings(), weights, {10: {3: earlier.state_dict()}})
    loaded = networks.load(tmp_path, torch.device("cpu"))
    assert list(loaded) == [0, 2, 10]
    for seed, model in models.items():
        for name, value in model.state_dict().items():
            assert torch.equal(loaded[seed].state_dict()[name], value)
    assert networks.snapshots(tmp_path) == [3]
    ((seed, snapshot),) = networks.load(tmp_path, torch.device("cpu"), 3).items()
    assert seed == 10
    assert torch.equal(snapshot.state_dict()["encoder.1.weight"], earlier.state_dict()["encoder.1.weight"])

import math

import pytest
import torch

from pipeline.flow import planar
from pipeline.metrics.likelihood import log_mean_exp, log_weights
from pipeline.runtime import settings, weights
from pipeline.runtime.seeding import generator
from pipeline.vae import model as models
from pipeline.vae.evaluate import summary, terms

GREY = (1, 28, 28)
CPU = torch.device("cpu")


def test_logits_are_lowered_by_the_shift(build):
    z = torch.ones(2, 5)
    for shift in (5.0, 0.0):
        model = build(logit_shift=shift)
        torch.testing.assert_close(model.decode(z), model.decoder(z) - shift)


def test_an_autoencoder_without_variance_has_a_latent_and_nothing_else(build):
    model = build(posterior="deterministic")
    q = model.posterior(torch.rand(3, *GREY))
    assert q.logvar is None and q.latent() is q.mean
    images = torch.zeros(3, *GREY, dtype=torch.uint8)
    assert set(summary(model, terms(model, images, torch.Generator()), None)) == {"loss", "reconstruction"}


def test_samples_come_with_their_prior_and_posterior_densities(build):
    model = build(latent=3).double()
    x = torch.rand(4, *GREY, dtype=torch.float64)
    z, ratio = model.sample_latents(x, 6, torch.Generator().manual_seed(0))
    q = model.posterior(x)
    posterior = torch.distributions.Normal(q.mean[:, None], torch.exp(q.logvar / 2)[:, None])
    prior = torch.distributions.Normal(torch.zeros(3, dtype=torch.float64), 1)
    torch.testing.assert_close(ratio, (prior.log_prob(z) - posterior.log_prob(z)).sum(-1))


@pytest.mark.parametrize("flow_layers", [0, 3])
def test_importance_sampling_finds_the_likelihood_that_quadrature_finds(build, flow_layers):
    """Two latent dimensions: log p(x) is an integral in the plane."""
    model = build(hidden=4, latent=2, flow_layers=flow_layers, shape=(1, 2, 2)).double()
    x = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]], dtype=torch.float64)
    side = torch.linspace(-7, 7, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)[None]
    with torch.no_grad():
        joint = model.log_likelihood(x, grid) + planar.standard_normal(grid)
    exact = torch.logsumexp(joint, -1) + 2 * math.log(side[1] - side[0])
    estimate = log_mean_exp(log_weights(model, x, 40_000, generator("quadrature")))
    torch.testing.assert_close(estimate, exact, rtol=0, atol=0.02)


def test_the_elbo_is_reported_at_beta_one_with_all_constants(build):
    model = build(likelihood="gaussian", logit_shift=0.0)
    images = torch.randint(0, 2, (40, *GREY), dtype=torch.uint8, generator=generator("images"))
    found = terms(model, images, generator("samples"), samples=3)
    means = summary(model, found, 0.3)
    q = model.posterior(images.float())
    z, _ = q.sample(torch.randn((3, *q.mean.shape), generator=generator("samples")))
    outputs = torch.distributions.Normal(model.decode(z), math.sqrt(0.5))
    expected = outputs.log_prob(images.float().flatten(1)).sum(-1).mean() - found["kl"].mean()
    assert means["elbo"] == pytest.approx(expected.item(), rel=1e-5)
    assert means["loss"] == pytest.approx(means["reconstruction"] + 0.3 * means["kl"], rel=1e-12)


def test_only_encoder_and_decoder_compute_in_bfloat16(build):
    """Their outputs are numbers of bfloat16 in float32; samples, densities and flows are computed in float32."""
    model, exact = build(precision="bf16", flow_layers=2, logit_shift=0.0), build(flow_layers=2, logit_shift=0.0)
    x = (torch.rand(6, *GREY, generator=generator("x")) < 0.3).float()
    q = model.posterior(x)
    outputs = model.decode(torch.randn(6, 5))
    for value in (q.mean, q.logvar, q.layers[1], outputs):
        assert value.dtype == torch.float32
        assert torch.equal(value, value.bfloat16().float())
    z, ratio = q.sample(torch.randn(6, 5))
    for value in (z, ratio, q.layers[0]):
        assert value.dtype == torch.float32
        assert not torch.equal(value, value.bfloat16().float())
    assert not torch.equal(q.mean, exact.posterior(x).mean)
    torch.testing.assert_close(q.mean, exact.posterior(x).mean, rtol=0, atol=0.01)


def test_saved_models_come_back_bit_for_bit(describe, tmp_path):
    built = {seed: describe(precision="tf32").build() for seed in (0, 10, 2)}
    settings.write(tmp_path / models.FILE, describe(precision="tf32"))
    for seed, model in built.items():
        weights.save(tmp_path, weights.name(seed), weights.of(model))
        weights.save(tmp_path, weights.snapshot(weights.name(seed), "epoch", 3), weights.of(built[0]))
    loaded = models.load(tmp_path, CPU)
    assert list(loaded) == [0, 2, 10]
    for seed, model in built.items():
        assert loaded[seed].precision == "tf32" and not loaded[seed].training
        for name, value in model.state_dict().items():
            assert torch.equal(loaded[seed].state_dict()[name], value)
    assert models.snapshots(tmp_path) == [3]
    earlier = models.load(tmp_path, CPU, 3)[10]
    assert torch.equal(earlier.state_dict()["encoder.1.weight"], built[0].state_dict()["encoder.1.weight"])

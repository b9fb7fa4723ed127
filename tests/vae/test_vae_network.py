import pytest
import torch
from torch import nn

from pipeline.runtime.seeding import seeded
from pipeline.vae import network as networks


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_mlp_has_the_reports_parameter_counts():
    model = networks.build(network="mlp", hidden=300, latent=100)
    assert (count(model.encoder), count(model.decoder)) == (386_000, 356_584)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_shapes(network):
    model = networks.build(network=network, hidden=8, latent=5)
    mean, logvar = model.posterior(torch.zeros(3, 1, 28, 28))
    assert mean.shape == logvar.shape == (3, 5)
    assert model.decode(torch.zeros(3, 5)).shape == (3, 784)
    assert model.decode(torch.zeros(3, 2, 5)).shape == (3, 2, 784)
    assert model.log_likelihood(torch.zeros(3, 1, 28, 28), torch.zeros(3, 2, 5)).shape == (3, 2)


def test_every_logit_is_lowered_by_five():
    model = networks.build(network="mlp", hidden=8, latent=5)
    z = torch.ones(2, 5)
    torch.testing.assert_close(model.decode(z), model.decoder(z) - 5)


def test_draws_come_with_their_prior_and_posterior_densities():
    with seeded(0):
        model = networks.build(network="mlp", hidden=8, latent=3).double()
    x = torch.rand(4, 1, 28, 28, dtype=torch.float64)
    z, ratio = model.draw(x, 6, torch.Generator().manual_seed(0))
    mean, logvar = model.posterior(x)
    posterior = torch.distributions.Normal(mean[:, None], torch.exp(logvar / 2)[:, None])
    prior = torch.distributions.Normal(torch.zeros(3, dtype=torch.float64), 1)
    torch.testing.assert_close(ratio, (prior.log_prob(z) - posterior.log_prob(z)).sum(-1))


def test_saved_models_come_back_bit_for_bit(tmp_path):
    settings = {"network": "mlp", "hidden": 8, "latent": 5}
    models = {seed: networks.build(**settings) for seed in (0, 10, 2)}
    networks.save(tmp_path, settings, {seed: model.state_dict() for seed, model in models.items()})
    loaded = networks.load(tmp_path, torch.device("cpu"))
    assert list(loaded) == [0, 2, 10]
    for seed, model in models.items():
        for name, value in model.state_dict().items():
            assert torch.equal(loaded[seed].state_dict()[name], value)

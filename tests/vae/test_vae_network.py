import math

import pytest
import torch
from torch import nn

from pipeline.data.errors import DataError

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("network", "latent", "encoder", "decoder"),
    [("mlp", 100, 386_000, 356_584), ("mlp_shallow", 16, 245_132, 241_084), ("conv", 100, 480_072, 458_753)],
)
def test_the_networks_for_digits_have_the_reports_parameter_counts(build, network, latent, encoder, decoder):
    model = build(network, hidden=300, latent=latent)
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)


@pytest.mark.parametrize(
    ("latent", "posterior", "millions"),
    [(16, "deterministic", 0.916), (128, "deterministic", 1.604), (1024, "deterministic", 7.110),
     (1024, "gaussian", 11.305)],
)  # fmt: skip
def test_the_convolutional_networks_have_report_003s_parameter_counts(build, latent, posterior, millions):
    model = build("conv32", COLOUR, hidden=32, latent=latent, posterior=posterior)
    assert count(model) / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_side_of_the_images_changes_the_fully_connected_layers_alone(build, side):
    """32 channels enter the encoder's last layer, 16 leave the decoder's first one, both an eighth of the side wide."""
    model, area = build("conv32", (3, side, side), hidden=4), (side // 8) ** 2
    layers = [layer for half in (model.encoder, model.decoder) for layer in half]
    assert sum(count(layer) for layer in layers if not isinstance(layer, nn.Linear)) == 6_216 + 6_795
    assert [count(layer) for layer in layers if isinstance(layer, nn.Linear)] == [(32 * area + 1) * 10, 16 * area * 6]


@pytest.mark.parametrize(
    ("network", "shape"),
    [("mlp", GREY), ("mlp", (3, 20, 12)), ("mlp_shallow", COLOUR), ("conv", GREY), ("conv", (3, 28, 28))]
    + [("conv32", (channels, side, side)) for side in (16, 32, 64) for channels in (1, 3)],
)
@pytest.mark.parametrize("flow_layers", [0, 2])
def test_shapes(build, network, shape, flow_layers):
    model, pixels = build(network, shape, flow_layers=flow_layers), math.prod(shape)
    x = torch.zeros(3, *shape)
    q = model.posterior(x)
    assert q.mean.shape == q.logvar.shape == q.latent().shape == (3, 5)
    z, ratio = q.sample(torch.randn(4, 3, 5))
    assert z.shape == (4, 3, 5) and ratio.shape == (4, 3)
    assert model.decode(z).shape == (4, 3, pixels)
    assert model.log_score(x, z).shape == (4, 3)
    assert model.log_likelihood(x, torch.zeros(3, 2, 5)).shape == (3, 2)


@pytest.mark.parametrize(
    ("network", "shape", "sentence"),
    [
        ("conv", COLOUR, "network conv takes images of 28x28 pixels, and these are 32x32; conv32 takes 16x16,"),
        (
            "conv32",
            GREY,
            "network conv32 takes images of 16x16, 32x32 or 64x64 pixels, and these are 28x28; conv takes 28",
        ),
        ("conv32", (3, 32, 40), "these are 32x40"),
        ("conv32", (3, 24, 24), "these are 24x24"),
    ],
)
def test_a_network_refuses_images_it_is_not_made_for_and_names_what_is_possible(build, network, shape, sentence):
    with pytest.raises(DataError, match=sentence) as refused:
        build(network, shape)
    assert str(refused.value).endswith("mlp and mlp_shallow take any size.")

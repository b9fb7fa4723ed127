from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn

from pipeline.features.resnet import Backbone
from pipeline.runtime import weights
from pipeline.runtime.settings import write
from pipeline.simsiam.network import SimSiam, load
from pipeline.simsiam.settings import Network


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts():
    assert count(Backbone("resnet10", 16, "halving")) == 307_536
    model = SimSiam(Network("resnet18", 64, "imagenet", 512, 2048, "mlp", 512, (0.5,) * 3, (0.25,) * 3))
    assert count(model.backbone) == 11_176_512
    assert count(model.projector) == 2 * 512 * 512 + 2 * 1024 + 512 * 2048 + 2048  # 1.58 M
    assert count(model.predictor) == 2048 * 512 + 1024 + 512 * 2048 + 2048  # 2.10 M
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["projector.6.bias"]


def test_images_are_normalised_per_channel(network):
    model = SimSiam(network).eval()
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    normalise = torchvision.transforms.Normalize(network.mean, network.std)
    torch.testing.assert_close(model.represent(x), model.backbone(normalise(x)))


def test_a_predictor_that_is_left_out_changes_nothing(network):
    model = SimSiam(replace(network, predictor="identity", predictor_hidden=None))
    z = torch.randn(4, 6)
    assert model.predict(z) is z and count(model.predictor) == 0


def test_a_fixed_predictor_is_initialised_small_and_not_trained(network):
    model = SimSiam(replace(network, predictor="fixed", projector_output=200, predictor_hidden=300))
    first, normalisation, _, last = model.predictor
    for layer in (first, last):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert last.bias.abs().max() == 0 and not any(p.requires_grad for p in model.predictor.parameters())
    before = normalisation.running_mean.clone()
    model.predict(torch.randn(8, 200) + 1)
    assert not torch.equal(before, normalisation.running_mean)  # its statistics still follow the batches


def test_saved_networks_come_back_bit_for_bit(tmp_path, network):
    models = {seed: SimSiam(network).to(memory_format=torch.channels_last) for seed in (0, 10, 2)}
    write(tmp_path / "network.json", network)
    for seed, model in models.items():
        weights.save(tmp_path, weights.name(seed), weights.of(model))
    loaded = load(tmp_path, torch.device("cpu"))
    assert list(loaded) == [0, 2, 10]
    for seed, model in models.items():
        assert not loaded[seed].training
        for name, value in model.state_dict().items():
            assert torch.equal(loaded[seed].state_dict()[name], value)

from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from pipeline.runtime import weights
from pipeline.runtime.seeding import seeded
from pipeline.runtime.settings import write
from pipeline.simsiam.network import Backbone, Conv3x3, SimSiam, load
from pipeline.simsiam.settings import Network


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_backbone_with_the_imagenet_stem_is_torchvisions_resnet18():
    with seeded(0):
        theirs = torchvision.models.resnet18(zero_init_residual=True)
        ours = Backbone("resnet18", 64, "imagenet")
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    ours.load_state_dict(state)  # the same names and shapes
    theirs.fc = nn.Identity()
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (4, 4)])
def test_convolutions_of_small_maps_are_torchs(size, stride, layout):
    with seeded(0):
        ours = Conv3x3(5, 7, stride).double().to(memory_format=layout)
        x = torch.randn(3, 5, *size, dtype=torch.float64).to(memory_format=layout).requires_grad_()
        factors = torch.randn(3, 7, *(-(-side // stride) for side in size), dtype=torch.float64)
    y = ours(x)
    expected = F.conv2d(x, ours.weight, stride=stride, padding=1)
    torch.testing.assert_close(y, expected)
    found = torch.autograd.grad((y * factors).sum(), (x, ours.weight))
    torch.testing.assert_close(found, torch.autograd.grad((expected * factors).sum(), (x, ours.weight)))


def test_initial_weights_have_torchvisions_distribution():
    with seeded(0):
        theirs = torchvision.models.resnet18(zero_init_residual=True).state_dict()
        ours = Backbone("resnet18", 64, "imagenet").state_dict()
    for name, value in ours.items():
        if value.numel() > 4000:
            assert value.std().item() == pytest.approx(theirs[name].std().item(), rel=0.05), name
        elif value.numel() > 1:
            assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 1), ("cifar", 4), ("halving", 2)])
def test_stems_leave_maps_of_the_right_size(stem, side):
    backbone = Backbone("resnet18", 4, stem)
    sides = []
    backbone.layer4.register_forward_hook(lambda module, given, out: sides.append(out.shape[-1]))
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 32)
    assert sides == [side]


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

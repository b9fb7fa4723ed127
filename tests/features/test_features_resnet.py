import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from pipeline.features.resnet import Backbone, Conv3x3
from pipeline.runtime.seeding import seeded


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

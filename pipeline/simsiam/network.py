"""Encoder and predictor of SimSiam: a residual backbone, a projector and a predictor.

Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021.
"""

import os
from collections import OrderedDict
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.runtime import weights
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import seeded
from pipeline.runtime.settings import read
from pipeline.simsiam.settings import Network

BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}  # residual blocks of each stage
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}  # of maps in memory
FIXED_STD = 0.01  # standard deviation of the weights of a predictor that is never trained


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution with padding 1 and without bias; on maps of one or two pixels a side one matrix product.

    On such maps every position of the input is under the kernel at every position of the output, so that nothing of the
    matrix is zero, while convolution kernels spend most of their time on padding: several times as long on a CPU. A
    ResNet-18 with its ImageNet stem ends on 2x2 and 1x1 maps where images are 32x32.

    Args:
        channels: of its input.
        wide: channels of its output.
        stride: 1 or 2.
    """

    def __init__(self, channels: int, wide: int, stride: int) -> None:
        super().__init__(channels, wide, 3, stride, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if max(height, width) > 2:
            return super().forward(x)
        step = self.stride[0]
        tops, lefts = range(0, height, step), range(0, width, step)
        kernel = self.weight.permute(0, 2, 3, 1)
        taps = [kernel[:, 1 - top : 1 - top + height, 1 - left : 1 - left + width] for top in tops for left in lefts]
        y = F.linear(x.permute(0, 2, 3, 1).flatten(1), torch.cat(taps).flatten(1))
        return y.view(len(x), len(tops), len(lefts), -1).permute(0, 3, 1, 2)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where the shape changes; as torchvision's.

    Args:
        channels: of its input.
        wide: channels of its output.
        stride: of its first convolution.
    """

    def __init__(self, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv3x3(channels, wide, stride)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = Conv3x3(wide, wide, 1)
        self.bn2 = nn.BatchNorm2d(wide)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != wide:
            shortcut = nn.Conv2d(channels, wide, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(wide))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu_()))
        return (y + shortcut).relu_()


class Backbone(nn.Sequential):
    """A residual network without its classifier, as torchvision's of the same name but for width and stem.

    The second normalisation of each block starts from zero, so that each block starts as the identity.

    Args:
        name: `resnet10` or `resnet18`.
        width: channels of the first stage, 64 in torchvision; doubled from stage to stage.
        stem: `imagenet` (7x7 convolution of stride 2, maximum of 3x3 of stride 2), `cifar` (3x3), or `halving` (3x3 of
            stride 2).

    Attributes:
        features: channels of its output, `(n, features)`.

    Reference: He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, CVPR 2016.
    """

    def __init__(self, name: str, width: int, stem: str) -> None:
        kernel, stride = {"imagenet": (7, 2), "cifar": (3, 1), "halving": (3, 2)}[stem]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(3, width, kernel, stride, kernel // 2, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu=nn.ReLU(),
        )
        if stem == "imagenet":
            layers["maxpool"] = nn.MaxPool2d(3, 2, 1)
        channels = width
        for stage, blocks in enumerate(BLOCKS[name]):
            wide = width << stage
            rest = [BasicBlock(wide, wide, 1) for _ in range(blocks - 1)]
            layers[f"layer{stage + 1}"] = nn.Sequential(BasicBlock(channels, wide, 1 if stage == 0 else 2), *rest)
            channels = wide
        super().__init__(layers)
        self.features = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x.mean((2, 3))


class SimSiam(nn.Module):
    """Backbone and projector, which together are the encoder, and the predictor.

    Args:
        network: Settings of the network; its predictor is an `mlp`, the `identity`, or `fixed`: an mlp whose parameters
            are never trained.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(network.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(network.std)[:, None, None], persistent=False)
        self.backbone = Backbone(network.backbone, network.width, network.stem)
        hidden, output = network.projector_hidden, network.projector_output
        self.projector = nn.Sequential(
            nn.Linear(self.backbone.features, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, output),
            nn.BatchNorm1d(output, affine=False),
        )
        cast(nn.Linear, self.projector[6]).bias.requires_grad_(False)  # the normalisation after it takes it out again
        self.predictor = nn.Identity() if network.predictor_hidden is None else _mlp(output, network.predictor_hidden)
        if network.predictor == "fixed":
            _fix(self.predictor)

    def represent(self, x: Tensor) -> Tensor:
        """Return the features h of the backbone, `(n, backbone.features)`, for images in [0, 1], `(n, 3, h, w)`."""
        h: Tensor = self.backbone((x - self.mean) / self.std)
        return h

    def project(self, h: Tensor) -> Tensor:
        """Return z, `(n, projector_output)`, for features of the backbone."""
        z: Tensor = self.projector(h)
        return z

    def predict(self, z: Tensor) -> Tensor:
        """Return p, `(n, projector_output)`, the prediction of the other view's z."""
        p: Tensor = self.predictor(z)
        return p


def _mlp(output: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(output, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, output)
    )


def _fix(predictor: nn.Module) -> None:
    """Initialise with small weights and without bias, and leave all parameters out of training."""
    for module in predictor.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=FIXED_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    predictor.requires_grad_(False)


def memory_format() -> str:
    """Return how weights and maps lie in memory: it decides the speed and, by the order of sums, the last bits.

    `PIPELINE_MEMORY_FORMAT` names it; `channels_last` is the faster one on CPUs and GPUs alike.

    Raises:
        UserError: If there is no such format.
    """
    name = os.environ.get("PIPELINE_MEMORY_FORMAT") or "channels_last"
    if name not in FORMATS:
        raise UserError(f"PIPELINE_MEMORY_FORMAT={name}: not one of {', '.join(FORMATS)}.")
    return name


def place(model: SimSiam, device: torch.device) -> SimSiam:
    """Move a network to `device`, its weights laid out by `memory_format`."""
    return model.to(device, memory_format=FORMATS[memory_format()])  # type: ignore[call-overload, no-any-return]


def untrained(network: Network, seed: int, device: torch.device) -> SimSiam:
    """Return the network from which the training of `seed` starts, in evaluation mode."""
    with seeded(seed, "init"):
        model = SimSiam(network)
    return place(model, device).eval()


def load(folder: Path, device: torch.device) -> dict[int, SimSiam]:
    """Return the trained networks of a model folder by seed, in evaluation mode on `device`."""
    network, models = read(folder / "network.json", Network), {}
    for seed in weights.seeds(folder):
        models[seed] = untrained(network, seed, device)
        models[seed].load_state_dict(weights.load(folder, weights.name(seed), device))
    return models

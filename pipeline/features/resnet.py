"""The residual backbone of a feature network: that of SimSiam, and of a classifier on which scores can rely.

Reference: He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}  # residual blocks of each stage


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution with padding 1 and without bias; on maps of one or two pixels a side one matrix product.

    On such maps every position of the input is under the kernel at every position of the output, so that nothing of the
    matrix is zero, while convolution kernels spend most of their time on padding: several times as long on a CPU. A
    ResNet-18 with its ImageNet stem ends on 2x2 and 1x1 maps where images are 32x32.

    Args:
        channels: Number of channels of its input.
        wide: Number of channels of its output.
        stride: Its stride, 1 or 2.
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
        channels: Number of channels of its input.
        wide: Number of channels of its output.
        stride: Stride of its first convolution.
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
        width: Number of channels of the first stage, 64 in torchvision; doubled from stage to stage.
        stem: `imagenet` (7x7 convolution of stride 2, maximum of 3x3 of stride 2), `cifar` (3x3), or `halving` (3x3 of
            stride 2).
        channels: Number of channels of the images.

    Attributes:
        features: Number of channels of its output, `(n, features)`.
    """

    def __init__(self, name: str, width: int, stem: str, channels: int = 3) -> None:
        kernel, stride = {"imagenet": (7, 2), "cifar": (3, 1), "halving": (3, 2)}[stem]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
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

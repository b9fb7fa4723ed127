"""Encoder and predictor of SimSiam: a residual backbone, a projector and a predictor.

Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021.
"""

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.runtime.errors import UserError

BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}  # residual blocks of each stage
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}  # of maps in memory
FIXED_STD = 0.01  # of the weights of a predictor that stays as it was drawn


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
        mean, deviation: of the data per channel; images are shifted and scaled by them first.
        backbone, width, stem: see `Backbone`.
        projector_hidden: units of the projector's two hidden layers.
        features: dimensions d of its output z.
        predictor: `mlp`; `identity`; or `fixed`, an mlp whose parameters are never trained.
        predictor_hidden: units of the predictor's hidden layer; not asked for `identity`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        *,
        mean: list[float],
        deviation: list[float],
        backbone: str,
        width: int,
        stem: str,
        projector_hidden: int,
        features: int,
        predictor: str,
        predictor_hidden: int | None,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)
        self.backbone = Backbone(backbone, width, stem)
        self.projector = nn.Sequential(
            nn.Linear(self.backbone.features, projector_hidden, bias=False),
            nn.BatchNorm1d(projector_hidden),
            nn.ReLU(),
            nn.Linear(projector_hidden, projector_hidden, bias=False),
            nn.BatchNorm1d(projector_hidden),
            nn.ReLU(),
            nn.Linear(projector_hidden, features),
            nn.BatchNorm1d(features, affine=False),
        )
        cast(nn.Linear, self.projector[6]).bias.requires_grad_(False)  # the normalisation after it takes it out again
        self.predictor = nn.Identity() if predictor == "identity" else _mlp(features, cast(int, predictor_hidden))
        if predictor == "fixed":
            _fix(self.predictor)

    def represent(self, x: Tensor) -> Tensor:
        """Return the backbone's features h, `(n, backbone.features)`, for images `(n, 3, h, w)` in [0, 1]."""
        h: Tensor = self.backbone((x - self.mean) / self.deviation)
        return h

    def project(self, h: Tensor) -> Tensor:
        """Return z, `(n, features)`, for features of the backbone."""
        z: Tensor = self.projector(h)
        return z

    def predict(self, z: Tensor) -> Tensor:
        """Return p, `(n, features)`, the prediction of the other view's z."""
        p: Tensor = self.predictor(z)
        return p


def _mlp(features: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, features)
    )


def _fix(predictor: nn.Module) -> None:
    """Draw small weights, set the bias to 0, and leave all parameters out of training."""
    for module in predictor.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=FIXED_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    predictor.requires_grad_(False)


def memory_format() -> str:
    """Return how images and weights lie in memory: it decides the speed and, by the order of sums, the last bits.

    `PIPELINE_MEMORY_FORMAT` names it; `channels_last` is the faster one on CPUs and GPUs alike.

    Raises:
        UserError: if there is no such format.
    """
    name = os.environ.get("PIPELINE_MEMORY_FORMAT") or "channels_last"
    if name not in FORMATS:
        raise UserError(f"PIPELINE_MEMORY_FORMAT={name}: not one of {', '.join(FORMATS)}.")
    return name


def place(model: SimSiam, device: torch.device) -> SimSiam:
    """Move a network to `device`, its weights laid out by `memory_format`."""
    return model.to(device, memory_format=FORMATS[memory_format()])  # type: ignore[call-overload, no-any-return]


def save(folder: Path, settings: Mapping[str, Any], weights: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Write `network.json`, the arguments of `SimSiam`, and one `seed_<s>.safetensors` per seed."""
    (folder / "network.json").write_text(json.dumps(dict(settings), indent=2) + "\n")
    for seed, state in weights.items():
        file = folder / f"seed_{seed}.safetensors"
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, file)


def load(folder: Path, device: torch.device) -> dict[int, SimSiam]:
    """Return the trained networks of a model folder by seed, in evaluation mode on `device`."""
    settings = json.loads((folder / "network.json").read_text())
    models = {}
    for file in sorted(folder.glob("seed_*.safetensors"), key=lambda path: int(path.stem.split("_")[1])):
        model = SimSiam(**settings)
        model.load_state_dict(load_file(file))
        models[int(file.stem.split("_")[1])] = place(model, device).eval()
    return models

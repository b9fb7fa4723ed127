"""A classifier of the data set itself, whose penultimate layer serves as features."""

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.features.network import FeatureNetwork
from pipeline.features.resnet import Backbone
from pipeline.features.settings import Layout
from pipeline.runtime import files, weights

WEIGHTS = "weights"
SMALLEST = 15  # pixels of a side that three plain blocks leave one of


class Classifier(nn.Module):
    """Convolutions, a layer of ReLU features, and a linear head.

    Args:
        layout: Its convolutions are a ten-layer residual network (`resnet`) or three plain blocks (`classifier`).
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        convolutions, outputs = _residual(layout) if layout.network == "resnet" else _plain(layout)
        self.body = nn.Sequential(*convolutions, nn.Linear(outputs, layout.dimensions), nn.ReLU())
        self.head = nn.Linear(layout.dimensions, layout.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, dimensions)` and logits `(n, classes)` of images in [-1, 1], `(n, channels, h, w)`."""
        features = self.body(x.contiguous(memory_format=torch.channels_last))  # a CPU computes that layout faster
        return features, self.head(features)


def _plain(layout: Layout) -> tuple[list[nn.Module], int]:
    """Return three blocks of 3x3 convolution, batch normalisation, ReLU and pooling, and the number of their outputs.

    The second block has twice as many channels as the first, the third four times as many; images have at least
    `SMALLEST` pixels a side.
    """
    blocks: list[nn.Module] = []
    wide = [layout.width << block for block in range(3)]
    for entering, leaving, stride in zip((layout.channels, *wide), wide, (2, 1, 1), strict=False):
        convolution = nn.Conv2d(entering, leaving, 3, stride, padding=1, bias=False)
        blocks += [convolution, nn.BatchNorm2d(leaving), nn.ReLU(), nn.MaxPool2d(2)]
    side = (layout.size + 1) // 2 // 8
    return [*blocks, nn.Flatten()], wide[-1] * side**2


def _residual(layout: Layout) -> tuple[list[nn.Module], int]:
    """Return a residual network that keeps the size of the image in its first stage, and the number of its outputs."""
    backbone = Backbone("resnet10", layout.width, "cifar", layout.channels)
    backbone.to(memory_format=torch.channels_last)
    return [backbone], backbone.features


def load(folder: Path, layout: Layout, data: str, precision: str, device: torch.device) -> FeatureNetwork:
    """Return the classifier of `folder`, which was trained on the set called `data`, as a feature network."""
    classifier = Classifier(layout).to(device)
    classifier.load_state_dict(weights.load(folder, WEIGHTS, device))
    classifier.eval().requires_grad_(False)
    digest = files.digest(folder / f"{WEIGHTS}.safetensors")
    words = {
        "feature_network": f"{layout.network} trained on {data}, {layout.dimensions} features after ReLU,"
        f" weights sha256 {digest[:12]}",
        "resize": "none",
    }
    return FeatureNetwork(lambda images: classifier(images.float() / 127.5 - 1), layout.network, words, precision)

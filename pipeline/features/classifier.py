"""A small convolutional classifier of the data set itself, whose penultimate layer serves as features."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.features.network import FeatureNetwork

WEIGHTS = "weights.safetensors"


class Classifier(nn.Module):
    """Three blocks of 3x3 convolution, batch normalisation, ReLU and pooling; a layer of ReLU features; a linear head.

    Args:
        channels: of an image.
        size: pixels of its side, at least 16.
        width: channels of the first block; the second has twice, the third four times as many.
        dimensions: features.
        classes: logits.
    """

    def __init__(self, channels: int, size: int, width: int, dimensions: int, classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        wide = (width, 2 * width, 4 * width)
        for entering, leaving, stride in zip((channels, *wide), wide, (2, 1, 1), strict=False):
            convolution = nn.Conv2d(entering, leaving, 3, stride, padding=1, bias=False)
            blocks += [convolution, nn.BatchNorm2d(leaving), nn.ReLU(), nn.MaxPool2d(2)]
        side = (size + 1) // 2 // 8
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(wide[-1] * side**2, dimensions), nn.ReLU())
        self.head = nn.Linear(dimensions, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, dimensions)` and logits `(n, classes)` of images in [-1, 1], `(n, channels, h, w)`."""
        features = self.body(x.contiguous(memory_format=torch.channels_last))  # a CPU computes that layout faster
        return features, self.head(features)


def save(folder: Path, classifier: Classifier) -> None:
    """Write the weights into `folder`."""
    save_file({name: value.cpu().contiguous() for name, value in classifier.state_dict().items()}, folder / WEIGHTS)


def load(folder: Path, settings: dict[str, Any], data: str, device: torch.device) -> FeatureNetwork:
    """Return the classifier of `folder`, built with `settings` and trained on the set `data`, as a feature network."""
    classifier = Classifier(**settings).to(device)
    classifier.load_state_dict(load_file(folder / WEIGHTS))
    classifier.eval().requires_grad_(False)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    words = {
        "feature_network": f"classifier trained on {data}, {settings['dimensions']} features after ReLU,"
        f" weights sha256 {digest[:12]}",
        "resize": "none",
    }
    return FeatureNetwork(lambda images: classifier(images.float() / 127.5 - 1), "classifier", words)

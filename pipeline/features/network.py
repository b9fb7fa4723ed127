"""What a feature network is, and how features of many images are extracted."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.runtime.precision import arithmetic
from pipeline.runtime.progress import bar

BATCH = 100  # images at once

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class FeatureNetwork:
    """A fixed classifier in whose feature space images are compared.

    Args:
        forward: Maps uint8 images `(n, c, h, w)` to features `(n, d)` and logits `(n, classes)`.
        qualifier: What follows the names of scores; empty only for the network that published scores stand for.
        words: What identifies the network in a protocol: its name, its weights, how it resizes.
        precision: Its arithmetic, see `pipeline.runtime.precision`.
    """

    forward: Forward
    qualifier: str
    words: dict[str, str]
    precision: str = "fp32"

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, d)` and logits `(n, classes)`, both float32, of all uint8 images `(n, c, h, w)`.

        Raises:
            TypeError: If the images are not uint8; see `pipeline.features.pixels.quantised`.
        """
        if images.dtype != torch.uint8:
            raise TypeError(f"images are {images.dtype}; scores are defined on whole-numbered pixels, uint8")
        features, logits = [], []
        in_precision = arithmetic(images.device, self.precision)
        with torch.inference_mode(), in_precision, bar(len(images), "features", "image", part=True) as progress:
            for part in images.split(BATCH):
                found = self.forward(part)
                features.append(found[0].float())
                logits.append(found[1].float())
                progress.update(len(part))
            return torch.cat(features), torch.cat(logits)

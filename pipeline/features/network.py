"""What a feature network is, and how features of many images are extracted."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.runtime.progress import bar

BATCH = 100  # images at once

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class FeatureNetwork:
    """A fixed classifier in whose feature space images are compared.

    Args:
        forward: maps uint8 images `(n, c, h, w)` to features `(n, d)` and logits `(n, classes)`.
        qualifier: what follows the names of scores; empty only for the network that published scores stand for.
        words: what identifies the network in a protocol: its name, its weights, how it resizes.
    """

    forward: Forward
    qualifier: str
    words: dict[str, str]

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, d)` and logits `(n, classes)` of all uint8 images `(n, c, h, w)`, in full float32.

        Raises:
            TypeError: if the images are not uint8; see `pipeline.features.pixels.quantised`.
        """
        if images.dtype != torch.uint8:
            raise TypeError(f"images are {images.dtype}; scores are defined on whole-numbered pixels, uint8")
        # TensorFloat-32, cuDNN's default, moves scores in their third digit
        cudnn = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), cudnn, bar(len(images), "features", "image", part=True) as progress:
            found = []
            for part in images.split(BATCH):
                found.append(self.forward(part))
                progress.update(len(part))
            features, logits = zip(*found, strict=True)
            return torch.cat(features), torch.cat(logits)

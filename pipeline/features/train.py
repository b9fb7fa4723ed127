"""Training of the classifier that serves as feature network: cross-entropy, AdamW, one cycle of the learning rate."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data.batches import epoch_batches
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.classifier import WEIGHTS, Classifier
from pipeline.features.settings import Layout, Training
from pipeline.runtime import training, weights
from pipeline.runtime.context import Context, Row
from pipeline.runtime.precision import arithmetic
from pipeline.runtime.seeding import generator, seeded
from pipeline.runtime.training import Duration
from pipeline.runtime.weights import Weights

CHUNK = 1000  # images that are classified at once
SHIFT = 4  # pixels by which `crop_flip` moves an image at most


def train(
    data: DataSet, output: Path, layout: Layout, settings: Training, precision: str, context: Context
) -> None:  # fmt: skip
    """Train a classifier on the training split; write `weights.safetensors` and `history.csv`.

    Args:
        data: Images with labels.
        output: Folder to write into.
        layout: What the classifier is built from.
        settings: Settings of the training.
        precision: Arithmetic of the classifier, see `pipeline.runtime.precision`.
        context: Where to compute.

    Raises:
        DataError: If the data set has no labels.
        UserError: If training has diverged to numbers that are not finite.
    """
    if "train" not in data.labels:
        raise DataError(
            f"data set {data.card['name']} has no labels to train a classifier on; set its network to inception."
        )
    trainee = partial(ClassifierTrainee, data, layout, settings, precision)
    training.train({"classifier": trainee}, Duration("epoch", settings.epochs), output, context)


class ClassifierTrainee:
    """A classifier in training; its history holds the mean cross-entropy and the share of images classified correctly.

    That share is measured of the training images while they are trained on, of the other splits after each epoch.

    Args:
        data: Images with labels.
        layout: What the classifier is built from.
        settings: Settings of the training.
        precision: Arithmetic of the classifier.
    """

    remedy = "a smaller learning_rate"

    def __init__(self, data: DataSet, layout: Layout, settings: Training, precision: str) -> None:
        self.data, self.settings, self.precision = data, settings, precision
        self.pixels, self.labels = data.split("train"), data.labels["train"]
        with seeded(settings.seed, "feature classifier"):
            self.model = Classifier(layout).to(self.pixels.device)
        rate, decay = settings.learning_rate, settings.weight_decay
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=decay, fused=True)
        steps = settings.epochs * -(-len(self.pixels) // settings.batch)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, rate, steps)
        self.epoch: Row = {}

    def advance(self, number: int) -> None:
        """Take one step per batch of a freshly shuffled epoch, on images with normal noise."""
        device, count = self.pixels.device, len(self.pixels)
        random = generator(self.settings.seed, "feature classifier", number, device=device)
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        self.model.train()
        for index in epoch_batches(count, self.settings.batch, random):
            images, labels = self.data.signed(self.pixels[index]), self.labels[index]
            if self.settings.augment == "crop_flip":
                images = crop_flip(images, random)
            noise = self.settings.noise * torch.randn(images.shape, generator=random, device=device)
            with arithmetic(device, self.precision):
                _, logits = self.model(images + noise)
            loss = F.cross_entropy(logits.float(), labels)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            right = (logits.argmax(1) == labels).sum()
            sums += torch.stack([loss.detach().double() * len(index), right.double()])
        self.epoch = dict(zip(("train_loss", "train_accuracy"), (sums / count).tolist(), strict=True))

    def measure(self, number: int) -> Mapping[int, Row]:
        """Return what was measured during the epoch, and the accuracy on the other splits after it."""
        others = [split for split in self.data.labels if split != "train"]
        after = {f"{split}_accuracy": accuracy(self.model, self.data, split, self.precision) for split in others}
        return {self.settings.seed: {**self.epoch, **after}}

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])

    def weights(self) -> Mapping[str, Weights]:
        return {WEIGHTS: weights.of(self.model)}


@torch.no_grad()
def accuracy(model: Classifier, data: DataSet, split: str, precision: str) -> float:
    """Return the share of the images of a split that `model` classifies correctly, in evaluation mode."""
    model.eval()
    right = []
    for pixels, labels in zip(data.split(split).split(CHUNK), data.labels[split].split(CHUNK), strict=True):
        with arithmetic(pixels.device, precision):
            _, logits = model(data.signed(pixels))
        right.append((logits.argmax(1) == labels).sum())
    return torch.stack(right).sum().item() / len(data.labels[split])


def crop_flip(images: Tensor, random: torch.Generator) -> Tensor:
    """Shift each image `(n, c, h, w)` by up to four pixels either way, and mirror half of them.

    What a shift brings in from outside is the reflection of the image.
    """
    n, _, height, width = images.shape
    device = images.device
    top, left = torch.randint(2 * SHIFT + 1, (2, n, 1), generator=random, device=device)
    mirrored = torch.rand((n, 1), generator=random, device=device) < 0.5
    place = torch.arange(width, device=device)
    rows, columns = top + torch.arange(height, device=device), left + torch.where(mirrored, place.flip(0), place)
    padded = F.pad(images, [SHIFT] * 4, mode="reflect")
    return padded[torch.arange(n, device=device)[:, None, None], :, rows[:, :, None], columns[:, None]].movedim(-1, 1)

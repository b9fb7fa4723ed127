"""Training of SimSiam with its ablations: two random views of each image pass through one network.

Each view's prediction is turned towards the other view's features by SGD with momentum. Nothing but the predictor and
the stopped gradient keeps all features from becoming equal; the ablations take the one or the other away.

Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021, algorithm 1.
"""

import math
from collections.abc import Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.data.store import DataSet
from pipeline.runtime import training, weights
from pipeline.runtime.captured import captured
from pipeline.runtime.context import Context, Row
from pipeline.runtime.precision import arithmetic
from pipeline.runtime.seeding import generator
from pipeline.runtime.settings import write
from pipeline.runtime.training import Duration
from pipeline.runtime.weights import Weights
from pipeline.simsiam.augment import view
from pipeline.simsiam.evaluate import check, embed, measure
from pipeline.simsiam.network import SimSiam, memory_format, untrained
from pipeline.simsiam.objective import negative_cosine
from pipeline.simsiam.settings import Optimiser, Training


def train(data: Path, output: Path, settings: Training, context: Context) -> None:
    """Train one network per seed on a data set of colour images; write weights and learning curves.

    Args:
        data: Folder of the data set.
        output: Folder to write `network.json`, the weights and `history.csv` into.
        settings: Settings of the training.
        context: Where to compute.

    Raises:
        DataError: If the data set cannot be trained on.
        UserError: If training has diverged to numbers that are not finite.
    """
    images = store.load(data, context.device)
    check(images, batch=settings.batch, neighbours=settings.monitor.knn_neighbours)
    write(output / "network.json", settings.network)
    trainees = {
        f"{weights.name(seed)}-{memory_format()}": partial(SimSiamTrainee, seed, images, settings)
        for seed in settings.seeds
    }
    training.train(trainees, Duration("epoch", settings.epochs), output, context)


class SimSiamTrainee:
    """A network in training.

    The learning rate of the encoder falls along a cosine from epoch to epoch, that of the predictor stays. Both are in
    proportion to the batch.

    Args:
        seed: Seed of the initial weights, the order of the images and their views.
        data: Colour images with labels, which the monitor needs.
        settings: Settings of the training.
    """

    remedy = "a smaller learning_rate"

    def __init__(self, seed: int, data: DataSet, settings: Training) -> None:
        self.seed, self.data, self.settings = seed, data, settings
        device = data.split("train").device
        self.model = untrained(settings.network, seed, device)
        self.rate = settings.optimiser.learning_rate * settings.batch / 256
        self.optimiser = sgd(self.model, settings.optimiser, self.rate)
        self.step = captured(self.descend, device)
        self.loss = math.nan

    def advance(self, number: int) -> None:
        """Take one step per full batch of a freshly shuffled epoch."""
        pixels, views = self.data.split("train"), self.settings.augmentation
        random = generator(self.seed, "train", number, device=pixels.device)
        batches = epoch_batches(len(pixels), self.settings.batch, random, drop_last=True)
        set_rate(self.optimiser.param_groups[0], cosine(self.rate, number, self.settings.epochs))
        total = torch.zeros((), device=pixels.device)
        self.model.train()
        for index in batches:
            images = self.data.unit(pixels[index])
            total += self.step("step", view(images, views, random), view(images, views, random))
        self.loss = total.item() / len(batches)

    def descend(self, kind: Hashable, first: Tensor, second: Tensor) -> Tensor:
        """Take one step on two views `(n, 3, h, w)` and return the loss.

        The views pass through the network one after the other, so that each is normalised by its own batch statistics.
        """
        with arithmetic(first.device, self.settings.precision):
            z1, z2 = (self.model.project(self.model.represent(x)) for x in (first, second))
            p1, p2 = self.model.predict(z1), self.model.predict(z2)
        loss = negative_cosine(
            p1.float(), p2.float(), z1.float(), z2.float(), stop_gradient=self.settings.stop_gradient
        )  # fmt: skip
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def measure(self, number: int) -> Mapping[int, Row]:
        """Return the mean loss of the epoch and what the monitor says of the features."""
        layers = (embed(self.model, self.data, split, self.settings.precision) for split in ("train", "test"))
        bank, test = (features[self.settings.monitor.knn_features] for features in layers)
        return {self.seed: {"loss": self.loss, **measure(bank, test, self.data, self.settings.monitor)}}

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def weights(self) -> Mapping[str, Weights]:
        return {weights.name(self.seed): weights.of(self.model)}


def sgd(model: SimSiam, optimiser: Optimiser, rate: float) -> torch.optim.SGD:
    """Return the optimiser of a network; its first group is the encoder, its second, maybe empty, the predictor.

    On a GPU each group's learning rate is a tensor, which a recorded step reads each time.
    """
    encoder = [*model.backbone.parameters(), *model.projector.parameters()]
    device, groups = encoder[0].device, []
    for part in (encoder, model.predictor.parameters()):
        lr = torch.tensor(rate, device=device) if device.type == "cuda" else rate
        groups.append({"params": [p for p in part if p.requires_grad], "lr": lr})
    return torch.optim.SGD(groups, momentum=optimiser.momentum, weight_decay=optimiser.weight_decay, fused=True)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a group of parameters, in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def cosine(start: float, epoch: int, epochs: int) -> float:
    r"""Return $\frac12 \eta_0 (1 + \cos(\pi (e - 1) / E))$, the learning rate of epoch e, counted from 1."""
    return start * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2

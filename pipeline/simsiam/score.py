"""Scoring of trained SimSiam networks: collapse measures and nearest neighbours per layer, and a linear probe."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.metrics import seeds
from pipeline.metrics.knn import accuracy
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator
from pipeline.simsiam.augment import Augmentation
from pipeline.simsiam.evaluate import arithmetic, embed, evaluation, measure
from pipeline.simsiam.network import SimSiam, load, memory_format
from pipeline.simsiam.train import cosine, untrained

PICTURES = 16  # training images whose views the report may show
INITIAL_STD = 0.01  # of the probe's weights


def score(
    data: Path,
    model: Path,
    output: Path,
    *,
    augmentation: dict[str, Any],
    batch: int,
    momentum: float,
    weight_decay: float,
    probe_epochs: int,
    probe_learning_rate: float,
    precision: str,
    knn_features: str,
    knn_neighbours: int,
    knn_temperature: float,
    device: torch.device,
    scratch: Path,
) -> None:
    """Score every seed of a model; write `metrics.json`, and some images with two views of each as arrays.

    Args:
        data: folder of the data set.
        model: folder of the trained networks.
        output: folder to write into.
        augmentation: of the probe's training images, see `pipeline.simsiam.augment.Augmentation`.
        batch, momentum, weight_decay: of the probe's training, as of the network's.
        probe_epochs: passes over the training split.
        probe_learning_rate: of SGD, for a batch of 256; scaled in proportion to the batch, falling along a cosine.
        precision: see `pipeline.simsiam.evaluate.arithmetic`.
        knn_features: the layer that the monitor measured.
        knn_neighbours, knn_temperature: see `pipeline.metrics.knn.predict`.
        device: where to compute.
        scratch: folder of checkpoints.
    """
    images, models = store.load(data, device), load(model, device)
    network = json.loads((model / "network.json").read_text())
    curves = history.read(model / "history.csv")
    views = Augmentation(**augmentation)
    scores = {}
    with bar(len(models) * probe_epochs, output.name.strip("."), "epoch") as progress:
        for seed, net in models.items():
            layers, start = (_layers(each, images, precision) for each in (net, untrained(network, seed, device)))
            measured = {
                layer: measure(*features, images, neighbours=knn_neighbours, temperature=knn_temperature)
                for layer, features in layers.items()
            }
            probe = train_probe(
                net, images, views, Checkpoint(scratch, f"probe_{seed}-{memory_format()}", device), seed, progress,
                epochs=probe_epochs, batch=batch, lr=probe_learning_rate * batch / 256,
                momentum=momentum, weight_decay=weight_decay, precision=precision,
            )  # fmt: skip
            with torch.no_grad():
                predicted = probe(layers["backbone"][1]).argmax(1)
            scores[str(seed)] = {
                **_curve([row for row in curves if row["seed"] == seed]),
                "feature_std": measured[knn_features]["feature_std"],
                "effective_rank": measured[knn_features]["effective_rank"],
                "probe": accuracy(predicted, images.labels["test"]),
                "layers": measured,
                "untrained": measure(
                    *start[knn_features], images, neighbours=knn_neighbours, temperature=knn_temperature
                ),
            }
    protocol = {
        "data": images.card["name"],
        "split": "test",
        "images": len(images.split("test")),
        **{key: network[key] for key in ("backbone", "stem", "predictor")},
        "knn": f"{knn_neighbours} neighbours among {len(images.split('train'))} training images without augmentation,"
        f" weights exp(cos / {knn_temperature}), features of the {knn_features}, evaluation mode",
        "best": "the largest kNN accuracy of all epochs, chosen on the test split and so too high by a little",
        "probe": f"linear layer on the frozen backbone, {probe_epochs} epochs of augmented training images",
    }
    metrics = {"protocol": protocol, "seeds": scores, "mean": seeds.mean(scores), "spread": seeds.spread(scores)}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    _pictures(images, views, output)


def _layers(net: SimSiam, data: store.DataSet, precision: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the features of the training and of the test images, by layer."""
    train, test = (embed(net, data, split, precision) for split in ("train", "test"))
    return {layer: (train[layer], test[layer]) for layer in train}


def _curve(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the ends and the extremes of one seed's training curves."""
    best = max(rows, key=lambda row: row["knn"])  # the first of equals
    return {
        "loss": {"first": rows[0]["loss"], "last": rows[-1]["loss"]},
        "knn": {
            "first": rows[0]["knn"],
            "last": rows[-1]["knn"],
            "best": best["knn"],
            "best_epoch": best["epoch"],
            "lowest": min(row["knn"] for row in rows),
        },
    }


def train_probe(
    net: SimSiam,
    data: store.DataSet,
    augmentation: Augmentation,
    checkpoint: Checkpoint,
    seed: int,
    progress: Any,
    *,
    epochs: int,
    batch: int,
    lr: float,
    momentum: float,
    weight_decay: float,
    precision: str,
) -> nn.Linear:
    """Train a linear classifier on the features of the frozen backbone with cross-entropy.

    Args:
        net: its backbone gives the features, in evaluation mode.
        data: labelled images.
        augmentation: of the training images.
        checkpoint: of this probe.
        seed: of the initial weights, the order of the images and their views.
        progress: bar to advance by one per epoch.
        epochs, batch, lr, momentum, weight_decay: of SGD; `lr` is that of the first epoch and falls along a cosine.
        precision: see `pipeline.simsiam.evaluate.arithmetic`.
    """
    pixels, labels = data.split("train"), data.labels["train"]
    probe = nn.Linear(net.backbone.features, int(labels.max()) + 1)
    nn.init.normal_(probe.weight, std=INITIAL_STD, generator=generator(seed, "probe"))
    nn.init.zeros_(probe.bias)
    probe.to(pixels.device)
    optimiser = torch.optim.SGD(probe.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay)
    done = 0
    if state := checkpoint.load():
        probe.load_state_dict(state["probe"])
        optimiser.load_state_dict(state["optimiser"])
        done = state["done"]
    progress.update(done)
    for epoch in range(done + 1, epochs + 1):
        optimiser.param_groups[0]["lr"] = cosine(lr, epoch, epochs)
        random = generator(seed, "probe", epoch, device=pixels.device)
        for index in epoch_batches(len(pixels), batch, random, drop_last=True):
            with evaluation(net), arithmetic(pixels.device, precision):
                features = net.represent(augmentation.view(data.unit(pixels[index]), random))
            loss = F.cross_entropy(probe(features.float()), labels[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        progress.update()
        checkpoint.save(
            {"probe": probe.state_dict(), "optimiser": optimiser.state_dict(), "done": epoch}, now=epoch == epochs
        )
    return probe


def _pictures(data: store.DataSet, augmentation: Augmentation, output: Path) -> None:
    """Store the first training images, uint8 `(n, 3, h, w)`, and two views of each, float32 `(n, 2, 3, h, w)`."""
    originals = data.split("train")[:PICTURES]
    random = generator("views", device=originals.device)
    views = torch.stack([augmentation.view(data.unit(originals), random) for _ in range(2)], 1)
    np.save(output / "originals.npy", originals.cpu().numpy())
    np.save(output / "views.npy", views.cpu().numpy())

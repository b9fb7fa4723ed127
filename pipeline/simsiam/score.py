"""Scoring of trained SimSiam networks: collapse measures and nearest neighbours per layer, and a linear probe."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.store import DataSet
from pipeline.metrics import summary
from pipeline.metrics.knn import accuracy
from pipeline.runtime import history
from pipeline.runtime.context import Context
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator
from pipeline.runtime.settings import read
from pipeline.simsiam import probe
from pipeline.simsiam.augment import view
from pipeline.simsiam.evaluate import embed, measure
from pipeline.simsiam.network import SimSiam, load, untrained
from pipeline.simsiam.probe import Probe
from pipeline.simsiam.settings import Augmentation, Network, Scoring

PICTURES = 16  # training images whose views the report may show

Layers = dict[str, tuple[Tensor, Tensor]]
"""Features of the training and of the test images, by layer."""


def score(data: Path, model: Path, output: Path, settings: Scoring, context: Context) -> None:
    """Score every seed of a model; write `metrics.json`, and some images with two views of each as arrays.

    Args:
        data: Folder of the data set.
        model: Folder of the trained networks.
        output: Folder to write into.
        settings: Settings of the scores.
        context: Where to compute.
    """
    images, models = store.load(data, context.device), load(model, context.device)
    network = read(model / "network.json", Network)
    curves, layer = history.read(model / "history.csv"), settings.monitor.knn_features
    scores, probes = {}, []
    with bar(len(models), output.name.strip("."), "seed") as progress:
        for seed, trained in models.items():
            features = _layers(trained, images, settings.precision)
            start = _layers(untrained(network, seed, context.device), images, settings.precision)
            measured = {name: measure(*pair, images, settings.monitor) for name, pair in features.items()}
            train, test = features["backbone"]
            probes.append(probe.fit(train, images.labels["train"], settings.probe_l2))
            scores[str(seed)] = {
                **_curve([row for row in curves if row["seed"] == seed]),
                "feature_std": measured[layer]["feature_std"],
                "effective_rank": measured[layer]["effective_rank"],
                "probe": accuracy(probes[-1].predict(test), images.labels["test"]),
                "layers": measured,
                "untrained": measure(*start[layer], images, settings.monitor),
            }
            progress.update()
    summary.write(output, _protocol(images, network, settings, probes), scores)
    _pictures(images, settings.augmentation, output)


def _layers(model: SimSiam, data: DataSet, precision: str) -> Layers:
    train, test = (embed(model, data, split, precision) for split in ("train", "test"))
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


def _protocol(data: DataSet, network: Network, settings: Scoring, probes: list[Probe]) -> dict[str, Any]:
    """Return in words how the scores come about."""
    monitor, images = settings.monitor, len(data.split("train"))
    worst = max(each.gradient for each in probes)
    end = "converged" if all(each.converged for each in probes) else "not converged"
    return {
        "data": data.card["name"],
        "split": "test",
        "images": len(data.split("test")),
        "backbone": network.backbone,
        "stem": network.stem,
        "predictor": network.predictor,
        "precision": settings.precision,
        "knn": f"{monitor.knn_neighbours} neighbours among {images} training images without augmentation,"
        f" weights exp(cos / {monitor.knn_temperature}), cosines in float64, features of the {monitor.knn_features},"
        " evaluation mode",
        "best": "the largest kNN accuracy of all epochs, chosen on the test split and so too high by a little",
        "probe": f"multinomial logistic regression on the standardised features of the frozen backbone, {images}"
        f" training images without augmentation, penalty {settings.probe_l2} / 2 times the squared weights, full-batch"
        f" L-BFGS in float64, {end}: the largest entry of the gradient is {worst:.1e}",
    }


def _pictures(data: DataSet, augmentation: Augmentation, output: Path) -> None:
    """Store the first training images, uint8 `(n, 3, h, w)`, and two views of each, float32 `(n, 2, 3, h, w)`."""
    originals = data.split("train")[:PICTURES]
    random = generator("views", device=originals.device)
    views = torch.stack([view(data.unit(originals), augmentation, random) for _ in range(2)], 1)
    np.save(output / "originals.npy", originals.cpu().numpy())
    np.save(output / "views.npy", views.cpu().numpy())

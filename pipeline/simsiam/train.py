"""Training of SimSiam with its ablations: SGD on two random views of each image, one network per seed."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator, seeded
from pipeline.simsiam import network as networks
from pipeline.simsiam.augment import Augmentation
from pipeline.simsiam.evaluate import arithmetic, check, embed, measure
from pipeline.simsiam.network import SimSiam
from pipeline.simsiam.objective import negative_cosine


def fit(
    data: Path,
    output: Path,
    *,
    network: dict[str, Any],
    augmentation: dict[str, Any],
    stop_gradient: bool,
    epochs: int,
    batch: int,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    precision: str,
    knn_features: str,
    knn_neighbours: int,
    knn_temperature: float,
    seeds: list[int],
    device: torch.device,
    scratch: Path,
    log: history.Log,
) -> None:
    """Train one network per seed on a data set of colour images; write weights and learning curves.

    The learning rate of the encoder falls along a cosine from epoch to epoch, that of the predictor stays.

    Args:
        data: folder of the data set.
        output: folder to write `network.json`, `seed_<s>.safetensors` and `history.csv` into.
        network: see `pipeline.simsiam.network.SimSiam`.
        augmentation: see `pipeline.simsiam.augment.Augmentation`.
        stop_gradient: see `pipeline.simsiam.objective.negative_cosine`.
        epochs: passes over the training split.
        batch: images per step, each in two views; the last, smaller batch of an epoch is left out.
        learning_rate: of SGD, for a batch of 256; it is scaled in proportion to the batch.
        momentum, weight_decay: of SGD, for every parameter that is trained.
        precision: see `pipeline.simsiam.evaluate.arithmetic`.
        knn_features: `backbone` or `projector`, whose features the monitor measures after each epoch.
        knn_neighbours, knn_temperature: see `pipeline.metrics.knn.predict`.
        seeds: of initialisation, order of the images and views.
        device: where to train.
        scratch: folder of checkpoints.
        log: called after each epoch with seed, epoch and its measurements.

    Raises:
        DataError: if the data set cannot be trained on.
        UserError: if training has diverged to numbers that are not finite.
    """
    images = store.load(data, device)
    check(images, batch=batch, neighbours=knn_neighbours)
    views, layout = Augmentation(**augmentation), networks.memory_format()
    weights, rows = {}, []
    with bar(len(seeds) * epochs, output.name.strip("."), "epoch") as progress:
        for seed in seeds:
            model = untrained(network, seed, device)
            optimiser = sgd(model, lr=learning_rate * batch / 256, momentum=momentum, weight_decay=weight_decay)
            checkpoint = Checkpoint(scratch, f"seed_{seed}-{layout}", device)
            curve: list[dict[str, float]] = []
            if state := checkpoint.load():
                model.load_state_dict(state["model"])
                optimiser.load_state_dict(state["optimiser"])
                # in memory as the parameters are, as before the interruption
                for parameter, kept in optimiser.state.items():
                    kept["momentum_buffer"] = torch.empty_like(parameter).copy_(kept["momentum_buffer"])
                curve = state["curve"]
            progress.update(len(curve))
            for epoch in range(len(curve) + 1, epochs + 1):
                optimiser.param_groups[0]["lr"] = cosine(learning_rate * batch / 256, epoch, epochs)
                loss = train_epoch(
                    model, optimiser, images, views, generator(seed, "train", epoch, device=device),
                    batch=batch, stop_gradient=stop_gradient, precision=precision,
                )  # fmt: skip
                history.must_be_finite({"loss": loss}, f"seed {seed}, epoch {epoch}", "a smaller learning_rate")
                bank, test = (embed(model, images, split, precision)[knn_features] for split in ("train", "test"))
                measured = measure(bank, test, images, neighbours=knn_neighbours, temperature=knn_temperature)
                row = {"seed": seed, "epoch": epoch, "loss": loss, **measured}
                curve.append(row)
                log(seed, epoch, {key: value for key, value in row.items() if key not in ("seed", "epoch")})
                progress.update()
                state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "curve": curve}
                checkpoint.save(state, now=epoch == epochs)
            weights[seed] = model.state_dict()
            rows += curve
    networks.save(output, network, weights)
    history.write(output / "history.csv", rows)


def untrained(network: Mapping[str, Any], seed: int, device: torch.device) -> SimSiam:
    """Return the network from which the training of `seed` starts."""
    with seeded(seed, "init"):
        model = SimSiam(**network)
    return networks.place(model, device)


def sgd(model: SimSiam, *, lr: float, momentum: float, weight_decay: float) -> torch.optim.SGD:
    """Return the optimiser of a network; its first group is the encoder, its second, maybe empty, the predictor."""
    encoder = [*model.backbone.parameters(), *model.projector.parameters()]
    groups = [[p for p in part if p.requires_grad] for part in (encoder, model.predictor.parameters())]
    return torch.optim.SGD(
        [{"params": group} for group in groups], lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True
    )


def cosine(start: float, epoch: int, epochs: int) -> float:
    r"""Return $\frac12 \eta_0 (1 + \cos(\pi (e - 1) / E))$, the learning rate of epoch e, counted from 1."""
    return start * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def train_epoch(
    model: SimSiam,
    optimiser: torch.optim.Optimizer,
    data: store.DataSet,
    augmentation: Augmentation,
    random: torch.Generator,
    *,
    batch: int,
    stop_gradient: bool,
    precision: str,
) -> float:
    """Take one step per full batch of a freshly shuffled epoch; return the mean loss.

    Args:
        model: the network; the two views pass through it one after the other, each with its own batch statistics.
        optimiser: of its parameters.
        data: its training images are used.
        augmentation: of the views.
        random: source of the order and of the views.
        batch: images per step.
        stop_gradient: see `pipeline.simsiam.objective.negative_cosine`.
        precision: see `pipeline.simsiam.evaluate.arithmetic`.
    """
    pixels = data.split("train")
    model.train()
    total = torch.zeros((), device=pixels.device)
    batches = epoch_batches(len(pixels), batch, random, drop_last=True)
    for index in batches:
        images = data.unit(pixels[index])
        views = [augmentation.view(images, random) for _ in range(2)]
        with arithmetic(pixels.device, precision):
            features = [model.project(model.represent(view)) for view in views]
            predictions = [model.predict(z) for z in features]
        loss = negative_cosine(*(t.float() for t in (*predictions, *features)), stop_gradient=stop_gradient)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.detach()
    return total.item() / len(batches)

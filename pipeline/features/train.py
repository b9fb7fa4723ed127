"""Training of the classifier that serves as feature network."""

from pathlib import Path

import torch
from torch.nn import functional as F

from pipeline.data.batches import epoch_batches
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.classifier import Classifier
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator, seeded


def fit(
    images: DataSet,
    settings: dict[str, int],
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    noise: float,
    seed: int,
    device: torch.device,
    scratch: Path,
    log: history.Log,
) -> tuple[Classifier, list[dict[str, float]]]:
    """Train a classifier on the training split by cross-entropy with AdamW on one cycle of the learning rate.

    Args:
        images: a data set with labels.
        settings: keyword arguments of `Classifier`.
        epochs: passes over the training split.
        batch: images per step; the last, smaller batch of an epoch counts too.
        learning_rate: the highest of the cycle.
        weight_decay: of AdamW.
        noise: standard deviation of the normal noise on images in [-1, 1].
        seed: of initialisation, order of the images and noise.
        device: where to train.
        scratch: folder of checkpoints.
        log: called after each epoch with seed, epoch and its measurements.

    Returns:
        the classifier in evaluation mode, and one row of measurements per epoch: mean cross-entropy, and the share of
        each split's images that the classifier gets right (of the training split: while it is being trained).

    Raises:
        DataError: if the data set has no labels.
    """
    if "train" not in images.labels:
        raise DataError(
            f"data set {images.card['name']} has no labels to train a classifier on; set its network to inception."
        )
    x, y = images.split("train"), images.labels["train"]
    with seeded(seed, "feature classifier"):
        model = Classifier(**settings).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    checkpoint = Checkpoint(scratch, "classifier", device)
    rows: list[dict[str, float]] = []
    if state := checkpoint.load():
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        rows = state["rows"]
    steps = -(-len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, epochs * steps, last_epoch=len(rows) * steps - 1
    )
    with bar(epochs, f"classifier of {images.card['name']}", "epoch") as progress:
        progress.update(len(rows))
        for epoch in range(len(rows) + 1, epochs + 1):
            random = generator(seed, "feature classifier", epoch, device=device)
            row: dict[str, float] = {"seed": seed, "epoch": epoch}
            sums = torch.zeros(2, dtype=torch.float64, device=device)
            model.train()
            for index in epoch_batches(len(x), batch, random):
                pixels = images.signed(x[index])
                noisy = pixels + noise * torch.randn(pixels.shape, generator=random, device=device)
                _, logits = model(noisy)
                loss = F.cross_entropy(logits, y[index])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                right = (logits.argmax(1) == y[index]).sum()
                sums += torch.stack([loss.detach().double() * len(index), right.double()])
            row["train_loss"], row["train_accuracy"] = (sums / len(x)).tolist()
            model.eval()
            for split in images.labels:
                if split != "train":
                    row[f"{split}_accuracy"] = accuracy(model, images, split)
            rows.append(row)
            log(seed, epoch, {key: value for key, value in row.items() if key not in ("seed", "epoch")})
            progress.update()
            checkpoint.save(
                {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "rows": rows}, now=epoch == epochs
            )
    return model.eval(), rows


@torch.no_grad()
def accuracy(model: Classifier, images: DataSet, split: str, chunk: int = 1000) -> float:
    """Return the share of the images of a split that `model` classifies right."""
    parts = zip(images.split(split).split(chunk), images.labels[split].split(chunk), strict=True)
    right = [(model(images.signed(pixels))[1].argmax(1) == labels).sum() for pixels, labels in parts]
    return torch.stack(right).sum().item() / len(images.labels[split])

"""Training of variational autoencoders: maximise the evidence lower bound with Adam, one network per seed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator, seeded
from pipeline.vae import network as networks
from pipeline.vae.evaluate import elbo
from pipeline.vae.objective import bernoulli_log_likelihood, kl_analytic, kl_monte_carlo, sample_posterior

Log = Callable[[int, int, Mapping[str, float]], None]


def fit(
    data: Path,
    output: Path,
    *,
    network: str,
    hidden: int | None,
    latent: int,
    kl: str,
    kl_samples: int | None,
    epochs: int,
    batch: int,
    learning_rate: float,
    seeds: list[int],
    device: torch.device,
    scratch: Path,
    log: Log,
) -> None:
    """Train one autoencoder per seed on a data set of binary images; write weights and learning curves.

    Args:
        data: folder of the data set.
        output: folder to write `network.json`, `seed_<s>.safetensors` and `history.csv` into.
        network, hidden, latent: see `pipeline.vae.network.build`.
        kl: `analytic`, or `monte_carlo` with `kl_samples` samples per image (`None` in the closed form).
        epochs: passes over the training split.
        batch: images per step; the last, smaller batch of an epoch counts too.
        learning_rate: of Adam.
        seeds: of initialisation, order of the images and noise.
        device: where to train.
        scratch: folder of checkpoints.
        log: called after each epoch with seed, epoch and its measurements.
    """
    images = store.load(data, device)
    pixels = {split: images.binary(split) for split in ("train", "valid", "test")}
    settings: dict[str, Any] = {"network": network, "hidden": hidden, "latent": latent}
    weights, rows = {}, []
    with bar(len(seeds) * epochs, output.name, "epoch") as progress:
        for seed in seeds:
            with seeded(seed, "init"):
                model = networks.build(**settings).to(device)
            optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
            checkpoint = Checkpoint(scratch, f"seed_{seed}", device)
            curve: list[dict[str, float]] = []
            if state := checkpoint.load():
                model.load_state_dict(state["model"])
                optimiser.load_state_dict(state["optimiser"])
                curve = state["curve"]
            progress.update(len(curve))
            for epoch in range(len(curve) + 1, epochs + 1):
                loss = train_epoch(
                    model, optimiser, pixels["train"], generator(seed, "train", epoch, device=device),
                    batch=batch, kl_samples=kl_samples,
                )  # fmt: skip
                row = {"seed": seed, "epoch": epoch, "train_loss": loss}
                for split in ("valid", "test"):
                    terms = elbo(model, pixels[split], generator(seed, split, epoch, device=device))
                    row[f"{split}_elbo"] = terms["elbo"]
                    if split == "valid":
                        row |= {"reconstruction": terms["reconstruction"], "kl": terms["kl"]}
                curve.append(row)
                log(seed, epoch, {key: value for key, value in row.items() if key not in ("seed", "epoch")})
                progress.update()
                state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "curve": curve}
                checkpoint.save(state, now=epoch == epochs)
            weights[seed] = model.state_dict()
            rows += curve
    networks.save(output, settings, weights)
    history.write(output / "history.csv", rows)


def train_epoch(
    model: networks.Vae,
    optimiser: torch.optim.Optimizer,
    pixels: Tensor,
    random: torch.Generator,
    *,
    batch: int,
    kl_samples: int | None,
) -> float:
    """Take one step per batch of a freshly shuffled epoch; return the mean of -ELBO over its images in nats.

    Args:
        model: the autoencoder.
        optimiser: of its parameters.
        pixels: training images in {0, 1}, uint8 `(n, 1, 28, 28)`.
        random: source of the order and of all noise.
        batch: images per step.
        kl_samples: samples of the Monte Carlo estimate of KL, `None` for the closed form.
    """
    total = torch.zeros((), device=pixels.device)
    for index in epoch_batches(len(pixels), batch, random):
        x = pixels[index].float()
        mean, logvar = model.posterior(x)
        z = sample_posterior(mean, logvar, torch.randn(mean.shape, generator=random, device=mean.device))
        if kl_samples is None:
            divergence = kl_analytic(mean, logvar)
        else:
            noise = torch.randn((kl_samples, *mean.shape), generator=random, device=mean.device)
            divergence = kl_monte_carlo(mean, logvar, noise)
        loss = (divergence - bernoulli_log_likelihood(x.flatten(1), model.decode(z))).sum()
        optimiser.zero_grad()
        (loss / len(x)).backward()
        optimiser.step()
        total += loss.detach()
    return total.item() / len(pixels)

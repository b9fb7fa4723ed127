"""Training of autoencoders: minimise reconstruction + beta KL with Adam, one network per seed."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.runtime import history
from pipeline.runtime.adam import Adam
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator, seeded
from pipeline.vae import network as networks
from pipeline.vae.evaluate import summary, terms
from pipeline.vae.objective import beta_at, kl_analytic, kl_monte_carlo
from pipeline.vae.observation import Observation


def fit(
    data: Path,
    output: Path,
    *,
    network: str,
    hidden: int | None,
    latent: int,
    likelihood: str,
    logit_shift: float | None,
    posterior: str,
    flow_layers: int | None,
    beta: float | None,
    beta_schedule: str | None,
    kl: str | None,
    kl_samples: int | None,
    epochs: int,
    batch: int,
    learning_rate: float,
    clip_norm: float,
    snapshots: list[int],
    seeds: list[int],
    device: torch.device,
    scratch: Path,
    log: history.Log,
) -> None:
    """Train one autoencoder per seed; write weights and learning curves.

    Args:
        data: folder of the data set.
        output: folder to write `network.json`, weights and `history.csv` into.
        network, hidden, latent, logit_shift, posterior, flow_layers: see `pipeline.vae.network.build`.
        likelihood: a name of the table in `pipeline.vae.observation`.
        beta, beta_schedule: weight of KL, see `pipeline.vae.objective.beta_at`; `None` where there is no KL.
        kl: `analytic`, or `monte_carlo` with `kl_samples` draws per image of its own (`None` in the closed form);
            `None` where the posterior is a flow (the draw that is decoded serves) or has no variance.
        epochs: passes over the training split.
        batch: images per step; the last, smaller batch of an epoch counts too.
        learning_rate: of Adam.
        clip_norm: largest Euclidean norm of the gradient of all parameters together; 0 is no limit.
        snapshots: epochs after which the weights are stored as well.
        seeds: of initialisation, order of the images and noise.
        device: where to train.
        scratch: folder of checkpoints.
        log: called after each epoch with seed, epoch and its measurements.

    Raises:
        UserError: if training has diverged to numbers that are not finite.
    """
    images = store.load(data, device)
    settings: dict[str, Any] = {
        "network": network, "shape": images.card["shape"], "hidden": hidden, "latent": latent, "posterior": posterior,
        "flow_layers": flow_layers, "logit_shift": logit_shift,
        "observation": asdict(Observation.of(likelihood, images)),
    }  # fmt: skip
    weights, taken, rows = {}, {}, []
    with bar(len(seeds) * epochs, output.name, "epoch") as progress:
        for seed in seeds:
            with seeded(seed, "init"):
                model = networks.build(**settings).to(device)
            optimiser = Adam(model.parameters(), lr=learning_rate)
            checkpoint = Checkpoint(scratch, f"seed_{seed}", device)
            curve: list[dict[str, float]] = []
            stored: dict[int, networks.Weights] = {}
            if state := checkpoint.load():
                model.load_state_dict(state["model"])
                optimiser.load_state_dict(state["optimiser"])
                curve, stored = state["curve"], state["snapshots"]
            progress.update(len(curve))
            for epoch in range(len(curve) + 1, epochs + 1):
                weight = None if beta is None else beta_at(epoch, epochs, beta, str(beta_schedule))
                loss = train_epoch(
                    model, optimiser, images.split("train"), generator(seed, "train", epoch, device=device),
                    batch=batch, beta=weight, kl_samples=kl_samples, clip_norm=clip_norm,
                )  # fmt: skip
                row = {"seed": seed, "epoch": epoch, "train_loss": loss}
                for split in images.held_out:
                    found = terms(model, images.split(split), generator(seed, split, epoch, device=device))
                    row |= {f"{split}_{name}": value for name, value in summary(model, found, weight).items()}
                history.must_be_finite(row, f"seed {seed}, epoch {epoch}", "a smaller learning_rate or clip_norm")
                curve.append(row)
                log(seed, epoch, {key: value for key, value in row.items() if key not in ("seed", "epoch")})
                progress.update()
                if epoch in snapshots:
                    stored[epoch] = {name: value.clone() for name, value in model.state_dict().items()}
                state = {
                    "model": model.state_dict(), "optimiser": optimiser.state_dict(),
                    "curve": curve, "snapshots": stored,
                }  # fmt: skip
                checkpoint.save(state, now=epoch == epochs)
            weights[seed], taken[seed] = model.state_dict(), stored
            rows += curve
    networks.save(output, settings, weights, taken)
    history.write(output / "history.csv", rows)


def train_epoch(
    model: networks.Vae,
    optimiser: Adam,
    images: Tensor,
    random: torch.Generator,
    *,
    batch: int,
    beta: float | None,
    kl_samples: int | None,
    clip_norm: float,
) -> float:
    """Take one step per batch of a freshly shuffled epoch; return the mean loss over its images in nats.

    Args:
        model: the autoencoder.
        optimiser: of its parameters.
        images: training split, uint8 `(n, c, h, w)`.
        random: source of the order and of all noise.
        batch, clip_norm: as for `fit`.
        beta, kl_samples: as for `losses`.
    """
    total = torch.zeros((), device=images.device)
    for index in epoch_batches(len(images), batch, random):
        x = model.observation.scale(images[index])
        loss = losses(model, x, random, beta=beta, kl_samples=kl_samples).sum()
        optimiser.zero_grad()
        (loss / len(x)).backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimiser.step()
        total += loss.detach()
    return total.item() / len(images)


def losses(
    model: networks.Vae, x: Tensor, random: torch.Generator, *, beta: float | None, kl_samples: int | None
) -> Tensor:
    """Return reconstruction + beta KL of each image, `(n,)`; at beta = 1 it is -ELBO without its constant.

    Args:
        model: the autoencoder.
        x: scaled images, `(n, c, h, w)`.
        random: source of the noise.
        beta: weight of KL; at 0, and with `None`, KL is not computed.
        kl_samples: draws of the Monte Carlo estimate of KL, `None` for the closed form. A posterior with planar layers
            has none: its KL is estimated with the draw that is decoded.
    """
    q, ratio = model.posterior(x), None
    if model.kind == "gaussian":
        z, ratio = q.sample(torch.randn(q.mean.shape, generator=random, device=x.device))
    else:
        z = q.mean
    if not beta:
        return -model.log_score(x, z)
    assert q.logvar is not None
    if q.layers is not None and ratio is not None:
        divergence = ratio
    elif kl_samples is None:
        divergence = kl_analytic(q.mean, q.logvar)
    else:
        draws = torch.randn((kl_samples, *q.mean.shape), generator=random, device=x.device)
        divergence = kl_monte_carlo(q.mean, q.logvar, draws)
    return beta * divergence - model.log_score(x, z)

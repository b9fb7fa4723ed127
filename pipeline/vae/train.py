"""Training of autoencoders: minimise reconstruction + beta KL with Adam, one autoencoder per seed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.data.store import DataSet
from pipeline.runtime import training, weights
from pipeline.runtime.adam import Adam
from pipeline.runtime.captured import captured
from pipeline.runtime.context import Context, Row
from pipeline.runtime.seeding import generator, seeded
from pipeline.runtime.settings import write
from pipeline.runtime.training import Duration
from pipeline.runtime.weights import Weights
from pipeline.vae.evaluate import summary, terms
from pipeline.vae.model import FILE, Vae, VaeDescription
from pipeline.vae.objective import beta_at, kl_analytic, kl_monte_carlo
from pipeline.vae.observation import Observation
from pipeline.vae.settings import Training


def train(data: Path, output: Path, settings: Training, context: Context) -> None:
    """Train one autoencoder per seed; write `network.json`, weights and `history.csv`.

    Args:
        data: Folder of the data set.
        output: Folder to write into.
        settings: What is trained, and how.
        context: Where to train.

    Raises:
        DataError: If the network takes no images of this size, or the set has no test split.
        UserError: If training has diverged to numbers that are not finite.
    """
    images, schedule = store.load(data, context.device), settings.schedule
    images.split("test")  # without it nothing could be scored
    observation = Observation.of(settings.objective.likelihood, images)
    description = VaeDescription(settings.network, tuple(images.card["shape"]), observation, settings.precision)
    trainees = {weights.name(seed): partial(VaeTrainee, seed, images, description, settings) for seed in schedule.seeds}
    training.train(trainees, Duration("epoch", schedule.epochs, snapshots=schedule.snapshots), output, context)
    write(output / FILE, description)


class VaeTrainee:
    """An autoencoder in training.

    Args:
        seed: Seed of initialisation, order of the images and noise.
        images: The data set, on the device where the autoencoder is trained.
        description: What is built.
        settings: How it is trained.
    """

    remedy = "a smaller learning_rate or clip_norm"

    def __init__(self, seed: int, images: DataSet, description: VaeDescription, settings: Training) -> None:
        self._seed, self._data, self.images, self._settings = seed, images, images.split("train"), settings
        self._device = self.images.device
        with seeded(seed, "init"):
            self.model = description.build().to(self._device)
        self.optimiser = Adam(self.model.parameters(), settings.optimiser.learning_rate)
        self._step = captured(self._descend, self._device)
        self._total = torch.zeros((), device=self._device)

    def advance(self, number: int) -> None:
        """Take one step per batch of a freshly shuffled epoch; the last, smaller batch counts too."""
        random = generator(self._seed, "train", number, device=self._device)
        beta = self._beta(number)
        weight = torch.full((), beta or 0.0, device=self._device)
        self._total = torch.zeros((), device=self._device)
        for index in epoch_batches(len(self.images), self._settings.schedule.batch, random):
            noise = self._noise(len(index), random, with_kl=bool(beta))
            self._total += self._step(bool(beta), index, weight, *noise)

    def measure(self, number: int) -> Mapping[int, Row]:
        """Return the mean loss of the epoch over its images, and the terms of the objective on held-out images."""
        row, beta = {"train_loss": self._total.item() / len(self.images)}, self._beta(number)
        for split in self._data.held_out:
            random = generator(self._seed, split, number, device=self._device)
            means = summary(self.model, terms(self.model, self._data.split(split), random), beta)
            row |= {f"{split}_{name}": value for name, value in means.items()}
        return {self._seed: row}

    def state(self) -> dict[str, Any]:
        """Return weights and moments."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        """Go back to a `state`."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def weights(self) -> Mapping[str, Weights]:
        """Return the weights of both halves under the name of the seed."""
        return {weights.name(self._seed): weights.of(self.model)}

    def _descend(self, with_kl: bool, index: Tensor, beta: Tensor, *noise: Tensor) -> Tensor:
        """Descend one step on the images with these indices; return the sum of their losses."""
        x = self.model.observation.scale(self.images[index])
        loss = losses(self.model, x, beta if with_kl else None, *noise).sum()
        self.optimiser.zero_grad()
        (loss / len(x)).backward()
        if clip_norm := self._settings.optimiser.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip_norm)
        self.optimiser.step()
        return loss.detach()

    def _noise(self, count: int, random: torch.Generator, *, with_kl: bool) -> list[Tensor]:
        """Return standard normal noise for a batch: of the decoded samples, then of a Monte Carlo estimate of KL."""
        shapes: list[tuple[int, ...]] = []
        if self.model.sampled:
            shapes.append((count, self.model.network.latent))
        if with_kl and (samples := self._settings.objective.kl_samples):
            shapes.append((samples, count, self.model.network.latent))
        return [torch.randn(shape, generator=random, device=self._device) for shape in shapes]

    def _beta(self, epoch: int) -> float | None:
        objective = self._settings.objective
        if objective.beta is None or objective.beta_schedule is None:
            return None
        return beta_at(epoch, self._settings.schedule.epochs, objective.beta, objective.beta_schedule)


def losses(
    model: Vae, x: Tensor, beta: Tensor | float | None, noise: Tensor | None = None, kl_noise: Tensor | None = None
) -> Tensor:
    r"""Return reconstruction + beta KL of each image, `(n,)`; at beta = 1 it is -ELBO without its constant.

    $$-\log p(x|z) + \beta\, \mathrm{KL}(q(z|x) \,\|\, p(z)), \qquad z = \mu + \sigma \cdot \mathrm{noise}$$

    Args:
        model: The autoencoder.
        x: Scaled images, `(n, c, h, w)`.
        beta: Weight of KL; `None` where KL is not computed.
        noise: Standard normal, `(n, latent)`, where the decoder is given samples; else it is given the mean.
        kl_noise: Standard normal, `(S, n, latent)`, of the Monte Carlo estimate of KL; without it KL is taken in closed
            form. A posterior with planar layers needs neither: its KL is estimated with the sample that is decoded.
    """
    q = model.posterior(x)
    z, ratio = (q.mean, None) if noise is None else q.sample(noise)
    if beta is None:
        return -model.log_score(x, z)
    assert q.logvar is not None
    if q.layers is not None and ratio is not None:
        divergence = ratio
    elif kl_noise is not None:
        divergence = kl_monte_carlo(q.mean, q.logvar, kl_noise)
    else:
        divergence = kl_analytic(q.mean, q.logvar)
    return beta * divergence - model.log_score(x, z)

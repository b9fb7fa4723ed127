"""Training of generative adversarial networks: critic steps, a generator step, and what is measured of both."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.gan import losses, network
from pipeline.gan.average import Average
from pipeline.gan.images import evaluation_split, stretched
from pipeline.gan.model import Scale, TrainedGan
from pipeline.gan.penalties import gradient_norms, gradients, interpolate
from pipeline.gan.settings import Training
from pipeline.gan.trainer import Player, Trainer
from pipeline.metrics.pictures import sharpness
from pipeline.runtime import seeding, training, weights
from pipeline.runtime.context import Context, Row
from pipeline.runtime.errors import UserError
from pipeline.runtime.training import Duration
from pipeline.runtime.weights import Weights

HELD_OUT = 1000  # images of the evaluation split, and as many fakes, of the held-out estimates at most
# on training batches, means since the last row
MEASURED = ("loss_real", "loss_fake", "penalty", "jsd", "w1", "loss_generator")
PROBED = 256  # points between them at which the norm of the critic's gradient is measured


@dataclass(frozen=True)
class Images:
    """The images of one data set, on the device.

    Args:
        train: Images to train on, uint8 `(n, c, h, w)`.
        evaluation: First images of the evaluation split, as the networks see them.
        scale: Scale of the pixels that the networks see.
    """

    train: Tensor
    evaluation: Tensor
    scale: Scale

    @property
    def shape(self) -> tuple[int, int, int]:
        _, channels, height, width = self.train.shape
        return channels, height, width


def train(data: Path, output: Path, settings: Training, context: Context) -> None:
    """Train one generator and critic per seed; write weights and learning curves.

    Writes `network.json`, `history.csv` and for every seed the averaged generator at the end (`seed_0`) and at its
    snapshots (`seed_0-step_30`), the last generator itself (`seed_0-raw`) and the last critic (`seed_0-critic`). The
    columns `test_*` of the history are of training images where the set has no test split, see
    `pipeline.gan.images.evaluation_split`.

    Args:
        data: Folder of the data set.
        output: Folder to write into.
        settings: All hyperparameters of the training.
        context: Where to compute.

    Raises:
        UserError: If a batch is larger than the data set, if its images do not differ, if the network does not make
            images of its size, or if training has diverged to numbers that are not finite.
    """
    loaded, schedule = store.load(data, context.device), settings.schedule
    pixels, (_, evaluation) = stretched(loaded, "train"), evaluation_split(loaded)
    if schedule.batch > len(pixels):
        raise UserError(
            f"batch {schedule.batch} is larger than the {len(pixels)} training images of {loaded.card['name']}."
        )
    _must_differ(loaded.card["name"], pixels, evaluation)
    scale = _scale(settings.network.network, pixels)
    images = Images(pixels, scale.encode(evaluation[:HELD_OUT]), scale)
    duration = Duration("step", schedule.steps, schedule.log_every, schedule.snapshots)
    trainees = {
        weights.name(seed): partial(GanTrainee, seed, settings, images, context.device) for seed in schedule.seeds
    }
    training.train(trainees, duration, output, context)
    snapshots = sorted({*schedule.snapshots, schedule.steps})
    TrainedGan(settings.network, images.shape, scale, schedule.seeds, tuple(snapshots)).save(output)


class GanTrainee:
    """A generator, its average and a critic in training, for one seed.

    Args:
        seed: Seed of the initialisation, of the order of the images and of the noise.
        settings: All hyperparameters of the training.
        images: What they are trained on and measured with.
        device: Where to train.
    """

    remedy = "a smaller learning rate, a penalty or spectral_norm"

    def __init__(self, seed: int, settings: Training, images: Images, device: torch.device) -> None:
        self._seed, self._settings, self._images, self._device = seed, settings, images, device
        with seeding.seeded(seed, "init"):
            generator, critic = network.build(settings.network, images.shape)
        players = Player(generator.to(device), settings.generator), Player(critic.to(device), settings.critic)
        self.trainer = Trainer(*players, settings.objective, settings.precision, device)
        self.average = Average(generator, settings.average)
        self._batches = Batches(images.train, settings.schedule.batch, seed)
        self._sums, self._steps = torch.zeros(len(MEASURED), device=device), 0  # since the last row of the history

    def advance(self, number: int) -> None:
        """Take one generator step after the critic's steps; all of it follows from seed and number."""
        schedule, latent = self._settings.schedule, self._settings.network.latent
        random = seeding.generator(self._seed, "step", number, device=self._device)
        latents = torch.randn(
            (schedule.critic_steps + 1, schedule.batch, latent), generator=random, device=self._device
        )
        shares = torch.rand((schedule.critic_steps, schedule.batch), generator=random, device=self._device)
        for turn in range(schedule.critic_steps):
            done = (number - 1) * schedule.critic_steps + turn
            real = self._images.scale.encode(self._batches[done])
            measured = self.trainer.critic_step(real, latents[turn], shares[turn], done)
            self._sums[:-1] += measured / schedule.critic_steps
        self._sums[-1] += self.trainer.generator_step(latents[-1], number - 1)
        self.average.update(number - 1)
        self._steps += 1

    def measure(self, number: int) -> Mapping[int, Row]:
        """Return means over the training batches since the last call, and the held-out estimates of this moment."""
        random = seeding.generator(self._seed, "test", number, device=self._device)
        row = dict(zip(MEASURED, (self._sums / self._steps).tolist(), strict=True))
        row |= held_out(self.trainer, self._images.evaluation, random, self._settings.network.latent)
        self._sums.zero_()
        self._steps = 0
        return {self._seed: row}

    def state(self) -> dict[str, Any]:
        return {
            "generator": self.trainer.generator.state(),
            "critic": self.trainer.critic.state(),
            "average": self.average.network.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.trainer.generator.resume(state["generator"])
        self.trainer.critic.resume(state["critic"])
        self.average.network.load_state_dict(state["average"])

    def weights(self) -> Mapping[str, Weights]:
        return {
            weights.name(self._seed): weights.of(self.average.network),
            weights.name(self._seed, "raw"): weights.of(self.trainer.generator.network),
            weights.name(self._seed, "critic"): weights.of(self.trainer.critic.network),
        }


class Batches:
    """An endless stream of shuffled epochs; the last, smaller batch of an epoch is left out.

    Args:
        images: Images, uint8 `(n, c, h, w)`.
        batch: Number of images in each batch.
        seed: Seed of the order.
    """

    def __init__(self, images: Tensor, batch: int, seed: int) -> None:
        self._images, self._batch, self._seed = images, batch, seed
        self._per_epoch = len(images) // batch
        self._epoch, self._order = -1, torch.empty(0)

    def __getitem__(self, number: int) -> Tensor:
        epoch, place = divmod(number, self._per_epoch)
        if epoch != self._epoch:
            device = self._images.device
            random = seeding.generator(self._seed, "order", epoch, device=device)
            self._epoch, self._order = epoch, torch.randperm(len(self._images), generator=random, device=device)
        return self._images[self._order[place * self._batch : (place + 1) * self._batch]]


def held_out(trainer: Trainer, real: Tensor, random: torch.Generator, latent: int) -> dict[str, float]:
    """Estimate both distances between real and as many fake images, and measure the critic's gradient between them.

    Args:
        trainer: The generator in training, not its average, and the critic.
        real: Images of the evaluation split, as the networks see them.
        random: Source of the latents and of the points between.
        latent: Number of latent dimensions.

    Returns:
        `test_jsd` and `test_w1`; the critic's mean outputs `test_real` and `test_fake`; mean and standard deviation
        over points between real and fake images of the norm of its gradient, `gradient_norm` and
        `gradient_norm_spread`.
    """
    statistics = copy.deepcopy(trainer.generator.network.state_dict())  # of normalisation: generating moves them
    trainer.critic.network.eval()
    latents = torch.randn((len(real), latent), generator=random, device=real.device)
    with torch.no_grad():
        fake = trainer.generate(latents)
        on_real, on_fake = trainer.criticise(real), trainer.criticise(fake)
        distances = losses.jsd_estimate(on_real, on_fake), losses.w1_estimate(on_real, on_fake)
    share = torch.rand(len(real[:PROBED]), generator=random, device=real.device)
    between = interpolate(real[:PROBED], fake[:PROBED], share).requires_grad_()
    norms = gradient_norms(gradients(trainer.criticise(between), between).detach())
    trainer.critic.network.train()
    trainer.generator.network.load_state_dict(statistics)
    values = torch.stack([*distances, on_real.mean(), on_fake.mean(), norms.mean(), norms.std()]).tolist()
    names = ("test_jsd", "test_w1", "test_real", "test_fake", "gradient_norm", "gradient_norm_spread")
    return dict(zip(names, values, strict=True))


def _must_differ(name: str, train: Tensor, evaluation: Tensor) -> None:
    """Make sure that real images have distances and edges: those of generated images are divided by theirs.

    Raises:
        DataError: If all images are the same, or have no edges.
    """
    for images in (train, evaluation):
        if (images == images[0]).all():
            raise DataError(
                f"data set {name}: {len(images):,} images, all the same; at least two that differ are needed."
            )
    if not any(sharpness(part / 255).any() for part in evaluation.split(HELD_OUT)):
        raise DataError(f"data set {name}: none of its images has an edge; sharpness is compared with theirs.")


def _scale(architecture: str, images: Tensor) -> Scale:
    """Return [-1, 1] for generators that end in tanh, zero mean and unit variance for the linear output of the mlp."""
    if architecture != "mlp":
        return Scale(0.5, 0.5)
    pixels = images.double() / 255
    return Scale(pixels.mean().item(), pixels.std().item())

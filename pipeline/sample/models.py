"""Trained models to sample from, by the name of their folder: `gan/main`, `vae/bernoulli`, `flow/k8`.

In another program, three lines do:

    from pipeline.sample.models import load
    model = load("gan/main")
    images = model.sample(64, seed=0)["samples"]
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from pipeline.features.pixels import quantised
from pipeline.flow import network as flows
from pipeline.flow.planar import forward, inverse
from pipeline.gan.model import TrainedGan
from pipeline.gan.sample import Sampler, sample_latents
from pipeline.gan.settings import Sampling
from pipeline.metrics.likelihood import rows
from pipeline.runtime import seeding, settings, weights
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan
from pipeline.vae import model as autoencoders

CPU = torch.device("cpu")


class Model(ABC):
    """A trained model of one seed.

    Args:
        folder: Folder of the model.
        trained: Seed of its training.
        device: Where to compute.
    """

    def __init__(self, folder: Path, trained: int, device: torch.device) -> None:
        self.folder, self.trained, self.device = folder, trained, device
        self._root = folder.parents[2]

    @abstractmethod
    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples that are a function of `seed`: images, uint8 `(count, c, h, w)`, or points `(count, 2)`."""

    def _plan(self, stage: str) -> Plan:
        return Plan.read(self._root / "plan" / stage / f"{self.folder.name}.yaml")

    def _latents(self, count: int, latent: int, seed: int) -> Tensor:
        return sample_latents(count, latent, (seed, "sample"), self.device)


class Gan(Model):
    """The averaged generator at the end of its training, normalised as it is for its scores."""

    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return images of random latents as `samples`."""
        trained, sampling = TrainedGan.load(self.folder), self._plan("score_gan").settings["sampling"]
        generator = trained.generator(self.folder, self.trained, trained.snapshots[-1], self.device)
        random = seeding.generator(self.trained, "normalisation", device=self.device)
        latent = trained.network.latent
        sampler = Sampler(generator, trained.scale, settings.build(Sampling, sampling), latent, random)
        return {"samples": sampler.images(self._latents(count, latent, seed))}


class Autoencoder(Model):
    """A decoder; the latents are samples of N(0, I), the prior of all that are variational."""

    @torch.no_grad()
    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return the mean images of random latents as `samples`."""
        model = autoencoders.load(self.folder, self.device)[self.trained]
        shape = settings.read(self.folder / autoencoders.FILE, autoencoders.VaeDescription).shape
        levels = _levels(self._root / self._plan("train_vae").inputs["data"])
        latents = self._latents(count, model.network.latent, seed).split(rows(self.device))
        grey = torch.cat([model.observation.picture(model.decode(part), levels) for part in latents])
        return {"samples": quantised(2 * grey.view(-1, *shape) - 1)}


class Flows(Model):
    """The planar flows of one depth, one per density, mode and constraint."""

    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return points of each flow, float64 `(count, 2)`, by its name."""
        random = seeding.generator(seed, "sample")
        base = torch.randn((count, 2), generator=random, dtype=torch.float64)
        _, trained = flows.load(self.folder)
        # a flow that was fitted to points maps them to the base
        return {
            name: (inverse if f"_{flows.MODES[0]}_" in name else forward)(base, *layers)[0]
            for name, layers in trained[self.trained].items()
        }


FAMILIES: dict[str, type[Model]] = {"gan": Gan, "vae": Autoencoder, "flow": Flows}


def load(name: str, trained: int | None = None, device: torch.device = CPU, root: Path = Path()) -> Model:
    """Return a trained model.

    Args:
        name: Family and run, `gan/main`.
        trained: Seed of its training; the first one by default.
        device: Where to compute.
        root: Root of the checkout.

    Raises:
        UserError: If there is no such model, or it was not trained with that seed.
    """
    family, _, run = name.partition("/")
    if family not in FAMILIES or not run:
        raise UserError(f"{name}: family and run are needed, such as gan/main; families are {', '.join(FAMILIES)}.")
    folder = root.resolve() / "models" / family / run
    seeds = weights.seeds(folder)
    if not seeds:
        there = _names(folder.parent.glob("*"))
        raise UserError(f"{name}: no such trained model; `dvc repro train_{name.replace('/', '@')}` trains it{there}.")
    if trained is not None and trained not in seeds:
        raise UserError(f"{name}: not trained with seed {trained}, but with {', '.join(map(str, seeds))}.")
    return FAMILIES[family](folder, seeds[0] if trained is None else trained, device)


def _names(folders: Iterable[Path]) -> str:
    names = sorted(folder.name for folder in folders)
    return f"; there are {', '.join(names)}" if names else ""


def _levels(data: Path) -> int:
    """Return the number of grey levels of the data set that a model was trained on."""
    card = data / "card.json"
    if not card.is_file():
        raise UserError(f"{card}: missing; `dvc repro data@{data.name}` makes it.")
    return int(json.loads(card.read_text())["levels"])

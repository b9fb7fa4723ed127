"""Trained models to use: those of the checkout by name, `gan/main`, and exported ones by the path of their folder.

In another program, three lines do:

    from pipeline.sample.models import load
    model = load("gan/main")
    images = model.sample(64, seed=0)["samples"]
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from pipeline.features.pixels import quantised
from pipeline.flow import network as flows
from pipeline.flow.planar import forward, inverse
from pipeline.flow.settings import Network as FlowNetwork
from pipeline.gan import best as kept
from pipeline.gan.model import Scale, TrainedGan
from pipeline.gan.network import build
from pipeline.gan.sample import Sampler, sample_latents
from pipeline.gan.settings import Network as GanNetwork
from pipeline.gan.settings import Sampling
from pipeline.metrics.likelihood import rows
from pipeline.runtime import seeding, settings, weights
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import Settings
from pipeline.runtime.weights import Weights
from pipeline.simsiam import network as simsiam
from pipeline.simsiam.settings import Network as SimSiamNetwork
from pipeline.vae import model as autoencoders
from pipeline.vae.model import VaeDescription

CPU = torch.device("cpu")
BATCH = 500  # images per pass through a backbone
NETWORK, WEIGHTS = "network.json", "model"
"""Files of an exported model: what it is, and its weights."""

Described = TypeVar("Described", bound=Settings)


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    Args:
        name: Family and run, `gan/main`.
        seed: Seed of its training.
        step: Generator steps after which it was stored, for the best stored generator; `None` is the end of training.
    """

    name: str
    seed: int
    step: int | None = None

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]

    @property
    def run(self) -> str:
        return self.name.partition("/")[2]

    def plan(self, root: Path, stage: str) -> Plan:
        """Return the plan of a stage of its run."""
        return Plan.read(root / "plan" / stage / f"{self.run}.yaml")

    def folder(self, root: Path) -> Path:
        """Return the folder of its run's models."""
        return root / "models" / self.name


class Model(ABC, Generic[Described]):
    """A trained model of one seed, made of its description and its weights.

    Args:
        origin: Where it comes from.
        described: All that it is built from but its weights.
        tensors: Its weights.
        device: Where to compute.
    """

    kind: ClassVar[type[Any]]

    def __init__(self, origin: Origin, described: Described, tensors: Weights, device: torch.device) -> None:
        self.origin, self.described, self.device = origin, described, device
        self.build(tensors)

    @abstractmethod
    def build(self, tensors: Weights) -> None:
        """Build the networks."""

    @classmethod
    @abstractmethod
    def read(cls, origin: Origin, root: Path) -> tuple[Described, Weights]:
        """Read description and weights of a model from a checkout."""

    @abstractmethod
    def tensors(self) -> Weights:
        """Return the weights that the model can be built from again."""

    def save(self, folder: Path) -> None:
        """Write description and weights into `folder`, for `load`."""
        origin, described = settings.plain(self.origin), settings.plain(self.described)
        (folder / NETWORK).write_text(json.dumps({**origin, "network": described}, indent=2) + "\n")
        weights.save(folder, WEIGHTS, self.tensors())


class Generator(Model[Described]):
    """A model of data, to sample from."""

    @abstractmethod
    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples that are a function of `seed`: images, uint8 `(count, c, h, w)`, or points `(count, 2)`."""


@dataclass(frozen=True)
class GanDescription:
    """All that a generator is built from and sampled with but its weights."""

    network: GanNetwork
    shape: tuple[int, int, int]
    scale: Scale
    sampling: Sampling


class Gan(Generator[GanDescription]):
    """An averaged generator, normalised as it is for its scores; `generator` is the network itself."""

    kind = GanDescription

    def build(self, tensors: Weights) -> None:
        described, network = self.described, self.described.network
        self.generator = build(network, described.shape)[0]
        self.generator.load_state_dict(tensors)
        self.generator.to(self.device).requires_grad_(False)
        random = seeding.generator(self.origin.seed, "normalisation", device=self.device)
        self._sampler = Sampler(self.generator, described.scale, described.sampling, network.latent, random)

    @classmethod
    def read(cls, origin: Origin, root: Path) -> tuple[GanDescription, Weights]:
        folder = origin.folder(root)
        trained, scoring = TrainedGan.load(folder), origin.plan(root, "score_gan")
        step = trained.snapshots[-1] if origin.step is None else origin.step
        generator = trained.generator(folder, origin.seed, step, CPU)
        sampling = settings.build(Sampling, scoring.settings["sampling"])
        return GanDescription(trained.network, trained.shape, trained.scale, sampling), weights.of(generator)

    def tensors(self) -> Weights:
        return weights.of(self.generator)

    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return images of random latents as `samples`."""
        latents = sample_latents(count, self.described.network.latent, (seed, "sample"), self.device)
        return {"samples": self._sampler.images(latents)}


@dataclass(frozen=True)
class AutoencoderDescription:
    """All that an autoencoder is built from but its weights, and the grey levels of its images."""

    autoencoder: VaeDescription
    levels: int


class Autoencoder(Generator[AutoencoderDescription]):
    """An autoencoder, variational or not; `network` is the pair of encoder and decoder."""

    kind = AutoencoderDescription

    def build(self, tensors: Weights) -> None:
        self.network = self.described.autoencoder.build()
        self.network.load_state_dict(tensors)
        self.network.to(self.device).eval().requires_grad_(False)

    @classmethod
    def read(cls, origin: Origin, root: Path) -> tuple[AutoencoderDescription, Weights]:
        folder = origin.folder(root)
        card = root / origin.plan(root, "train_vae").inputs["data"] / "card.json"
        if not card.is_file():
            raise UserError(f"{card}: missing; `dvc repro data@{card.parent.name}` makes it.")
        levels = int(json.loads(card.read_text())["levels"])
        described = settings.read(folder / autoencoders.FILE, VaeDescription)
        return AutoencoderDescription(described, levels), weights.load(folder, weights.name(origin.seed))

    def tensors(self) -> Weights:
        return weights.of(self.network)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return the latents of images, `(n, latent)`: the means of q(z|x), for uint8 `(n, c, h, w)` in its levels."""
        parts = images.to(self.device).split(rows(self.device))
        return torch.cat([self.network.posterior(self.network.observation.scale(part)).latent() for part in parts])

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Return the mean images of latents `(n, latent)`, uint8 `(n, c, h, w)` from 0 to 255."""
        shape, levels, observation = self.described.autoencoder.shape, self.described.levels, self.network.observation
        parts = latents.to(self.device).split(rows(self.device))
        grey = torch.cat([observation.picture(self.network.decode(part), levels) for part in parts])
        return quantised(2 * grey.view(-1, *shape) - 1)

    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return the mean images of latents from N(0, I), the prior of all that are variational, as `samples`."""
        latent = self.network.network.latent
        return {"samples": self.decode(sample_latents(count, latent, (seed, "sample"), self.device))}


class Flows(Generator[FlowNetwork]):
    """The planar flows of one depth, one per density, mode and constraint; `layers` by their names."""

    kind = FlowNetwork

    def build(self, tensors: Weights) -> None:
        self._tensors = tensors
        self.layers = {
            name: (tensors[f"{name}.u"].double(), tensors[f"{name}.w"].double(), tensors[f"{name}.b"].double())
            for name in flows.names(self.described)
        }

    @classmethod
    def read(cls, origin: Origin, root: Path) -> tuple[FlowNetwork, Weights]:
        folder = origin.folder(root)
        return settings.read(folder / NETWORK, FlowNetwork), weights.load(folder, weights.name(origin.seed))

    def tensors(self) -> Weights:
        return self._tensors

    def sample(self, count: int, seed: int) -> dict[str, Tensor]:
        """Return points of each flow, float64 `(count, 2)`, by its name."""
        base = torch.randn((count, 2), generator=seeding.generator(seed, "sample"), dtype=torch.float64)
        # a flow that was fitted to points maps them to the base
        return {
            name: (inverse if f"_{flows.MODES[0]}_" in name else forward)(base, *layers)[0]
            for name, layers in self.layers.items()
        }


class Features(Model[SimSiamNetwork]):
    """A network of SimSiam; `network` has backbone, projector and predictor."""

    kind = SimSiamNetwork

    def build(self, tensors: Weights) -> None:
        self.network = simsiam.SimSiam(self.described)
        self.network.load_state_dict(tensors)
        simsiam.place(self.network, self.device).eval().requires_grad_(False)

    @classmethod
    def read(cls, origin: Origin, root: Path) -> tuple[SimSiamNetwork, Weights]:
        folder = origin.folder(root)
        return settings.read(folder / NETWORK, SimSiamNetwork), weights.load(folder, weights.name(origin.seed))

    def tensors(self) -> Weights:
        return weights.of(self.network)

    @torch.no_grad()
    def represent(self, images: Tensor) -> Tensor:
        """Return the features of the backbone, `(n, features)`, of uint8 images `(n, 3, h, w)` from 0 to 255."""
        parts = images.to(self.device).split(BATCH)
        return torch.cat([self.network.represent(part.float() / 255) for part in parts])


FAMILIES: Mapping[str, type[Model[Any]]] = {"gan": Gan, "vae": Autoencoder, "flow": Flows, "simsiam": Features}


def load(
    name: str | Path, trained: int | None = None, device: torch.device = CPU, root: Path = Path(), *, best: bool = False
) -> Any:
    """Return a trained model: a `Gan`, an `Autoencoder`, `Flows` or `Features`.

    Args:
        name: Family and run, `gan/main`; or the folder of an exported model.
        trained: Seed of its training; the first one by default.
        device: Where to compute.
        root: Root of the checkout.
        best: Whether to take the best stored generator instead of the last one.

    Raises:
        UserError: If there is no such model, or it was not trained with that seed.
    """
    if (Path(name) / f"{WEIGHTS}.safetensors").is_file():
        return _exported(Path(name), device)
    origin = _origin(str(name), trained, root.resolve(), best)
    family = FAMILIES[origin.family]
    described, tensors = family.read(origin, root.resolve())
    return family(origin, described, tensors, device)


def _exported(folder: Path, device: torch.device) -> Model[Any]:
    content = json.loads((folder / NETWORK).read_text())
    described = content.pop("network")
    origin = settings.build(Origin, content)
    family = FAMILIES[origin.family]
    return family(origin, settings.build(family.kind, described), weights.load(folder, WEIGHTS), device)


def _origin(name: str, trained: int | None, root: Path, best: bool) -> Origin:
    family, _, run = name.partition("/")
    if family not in FAMILIES or not run:
        raise UserError(f"{name}: family and run are needed, such as gan/main; families are {', '.join(FAMILIES)}.")
    folder = root / "models" / family / run
    seeds = weights.seeds(folder)
    if not seeds:
        there = _names(folder.parent.glob("*"))
        raise UserError(f"{name}: no such trained model; `dvc repro train_{name.replace('/', '@')}` trains it{there}.")
    if trained is not None and trained not in seeds:
        raise UserError(f"{name}: not trained with seed {trained}, but with {', '.join(map(str, seeds))}.")
    seed = seeds[0] if trained is None else trained
    if not best:
        return Origin(name, seed)
    chosen = root / "scores" / family / run / kept.FOLDER / kept.CHOSEN
    if not chosen.is_file():
        raise UserError(
            f"{name}: no best generator was chosen; `dvc repro score_{name.replace('/', '@')}` does for GANs."
        )
    return Origin(name, seed, int(json.loads(chosen.read_text())["seeds"][str(seed)]["step"]))


def _names(folders: Iterable[Path]) -> str:
    names = sorted(folder.name for folder in folders)
    return f"; there are {', '.join(names)}" if names else ""

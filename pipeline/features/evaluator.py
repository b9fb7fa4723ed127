"""Scores of generated images against reference images in the space of a feature network, with their protocol."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.features import classifier, inception
from pipeline.features.network import FeatureNetwork
from pipeline.metrics import frechet
from pipeline.metrics.inception_score import inception_score
from pipeline.metrics.kid import kernel_distance
from pipeline.metrics.precision_recall import precision_and_recall, radii


@dataclass(frozen=True)
class Scoring:
    """What has to be fixed for two scores to be comparable.

    Args:
        splits: parts of the images over which the Inception Score is averaged.
        kid_subsets, kid_subset_size: random subsets over which KID is averaged.
        neighbours: k of the balls of precision and recall.
    """

    splits: int
    kid_subsets: int
    kid_subset_size: int
    neighbours: int


@dataclass(frozen=True)
class Evaluator:
    """A feature network with the features of the reference images.

    Args:
        network: the feature network.
        gaussian: fitted to the reference, decomposed.
        features: of the reference images, float32 `(m, d)`.
        radii: of the reference images' balls, float64 `(m,)`.
        scoring: see `Scoring`.
        reference: the reference images in words.
    """

    network: FeatureNetwork
    gaussian: frechet.Reference
    features: Tensor
    radii: Tensor
    scoring: Scoring
    reference: str

    @classmethod
    def of(cls, network: FeatureNetwork, images: Tensor, scoring: Scoring, reference: str) -> "Evaluator":
        """Take uint8 `images` `(m, c, h, w)` for reference."""
        features, _ = network.extract(images)
        gaussian = frechet.Reference.of(frechet.Gaussian.fit(features))
        return cls(network, gaussian, features, radii(features, scoring.neighbours), scoring, reference)

    def score(self, images: Tensor) -> dict[str, float]:
        """Score generated images, uint8 `(n, c, h, w)`; see `pipeline.features.pixels.quantised`.

        Returns:
            `frechet_distance`; `inception_score` and `inception_score_spread` over splits; `kid` and `kid_spread` over
            subsets; `precision`; `recall`.

        Raises:
            TypeError: if the images are not uint8.
            ValueError: if there are fewer images than `Scoring` needs.
        """
        return self.rate(*self.network.extract(images))

    def rate(self, features: Tensor, logits: Tensor) -> dict[str, float]:
        """Score generated images by their features `(n, d)` and logits `(n, classes)`; see `score`."""
        score, spread = inception_score(logits, self.scoring.splits)
        kid, kid_spread = kernel_distance(
            features, self.features, self.scoring.kid_subsets, self.scoring.kid_subset_size
        )
        precision, recall = precision_and_recall(features, self.features, self.radii, self.scoring.neighbours)
        return {
            "frechet_distance": self.distance(features),
            "inception_score": score,
            "inception_score_spread": spread,
            "kid": kid,
            "kid_spread": kid_spread,
            "precision": precision,
            "recall": recall,
        }

    def distance(self, features: Tensor) -> float:
        """Return the Fréchet distance alone, of generated images with features `(n, d)`."""
        return self.gaussian.distance(frechet.Gaussian.fit(features))

    @property
    def names(self) -> dict[str, str]:
        """What the scores are called beside their numbers: FID only with the network that this name stands for."""
        qualifier = self.network.qualifier
        if not qualifier:
            words = {"frechet_distance": "FID", "inception_score": "IS", "kid": "KID"}
        else:
            short = {"frechet_distance": "FD", "inception_score": "IS", "kid": "KD"}
            words = {key: f"{name} ({qualifier})" for key, name in short.items()}
        return words | {"precision": "precision", "recall": "recall"}

    def protocol(self, images: int) -> dict[str, Any]:
        """Return in words how the scores of a number of generated `images` come about."""
        scoring = self.scoring
        return {
            "names": self.names,
            **self.network.words,
            "reference": self.reference,
            "reference_images": len(self.features),
            "images": images,
            "pixels": "generated images rounded to 0..255 before features; no image left out",
            "frechet_distance": "unbiased covariances, float64, symmetric eigenvalues, negative ones set to 0",
            "inception_score": f"mean and standard deviation over {scoring.splits} splits of the shuffled images",
            "kid": f"kernel (x.y / d + 1)^3, unbiased, mean over {scoring.kid_subsets} subsets"
            f" of {scoring.kid_subset_size} images",
            "precision_recall": f"balls to the {scoring.neighbours}. nearest neighbour",
        }

    def save(self, folder: Path, network: dict[str, Any], data: str) -> None:
        """Write the reference into `folder`, beside the network's weights.

        Args:
            folder: where the network's weights lie.
            network: its `kind`, and the keyword arguments that rebuild it.
            data: the set that a classifier was trained on.
        """
        described = {"network": network, "data": data, "scoring": vars(self.scoring), "reference": self.reference}
        (folder / "network.json").write_text(json.dumps(described, indent=2) + "\n")
        tensors = {
            "mean": self.gaussian.mean,
            "factor": self.gaussian.factor,
            "features": self.features,
            "radii": self.radii,
        }
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, folder / "reference.safetensors")


def load(folder: Path, device: torch.device) -> Evaluator:
    """Return the evaluator that the stage `features` wrote into `folder`, on `device`."""
    described = json.loads((folder / "network.json").read_text())
    tensors = load_file(folder / "reference.safetensors", device=str(device))
    network = load_network(folder, described["network"], described["data"], device)
    gaussian = frechet.Reference(tensors["mean"], tensors["factor"])
    scoring = Scoring(**described["scoring"])
    return Evaluator(network, gaussian, tensors["features"], tensors["radii"], scoring, described["reference"])


def load_network(folder: Path, network: dict[str, Any], data: str, device: torch.device) -> FeatureNetwork:
    """Return the feature network whose weights lie in `folder`; the arguments are those of `Evaluator.save`."""
    settings = {key: value for key, value in network.items() if key != "kind"}
    if network["kind"] == "inception":
        return inception.load(folder, device)
    return classifier.load(folder, settings, data, device)

"""A small finished project on disk, made of plans and outputs in the formats that the report reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.metrics import summary
from pipeline.runtime import history
from pipeline.runtime.plan import Plan

TRAINING = {
    "network": {"network": "mlp", "hidden": 300, "latent": 100, "flow_layers": 0},
    "objective": {"kl": None, "kl_samples": 10},
    "optimiser": {"learning_rate": 0.0003},
    "schedule": {"epochs": 20, "batch": 64, "seeds": [0, 1]},
}
COUNTS = [1, 10, 200, 1000]


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that builds a project of its own and returns its root."""

    def make(name: str = "project", **options: Any) -> Path:
        build(tmp_path / name, **options)
        return tmp_path / name

    return make


def build(root: Path, *, data: str = "binarized_digits28", images: int = 250, **training: Any) -> None:
    """Write one data set, an autoencoder per KL estimator and their scores below `root`.

    The numbers are random: curves that fall to about 101 nats, estimates of log p(x) that rise with K to about -95.
    """
    random = np.random.default_rng(0)
    _data(root, data, images, random)
    for run, kl in (("bernoulli", "analytic"), ("bernoulli_mc", "monte_carlo")):
        changes = {"kl": kl, **training}
        settings = {
            group: {name: changes.get(name, value) for name, value in values.items()}
            for group, values in TRAINING.items()
        }
        _train(root, run, data, settings, random)
        _score(root, run, data, images, settings["schedule"]["seeds"], random)


def _plan(root: Path, plan: Plan) -> Path:
    (root / plan.path).parent.mkdir(parents=True, exist_ok=True)
    (root / plan.path).write_text(plan.text())
    folder = root / plan.output
    folder.mkdir(parents=True)
    return folder


def _data(root: Path, name: str, images: int, random: np.random.Generator) -> None:
    folder = _plan(root, Plan("data", name, {}, f"data/{name}", {"source": name}))
    np.save(folder / "train_images.npy", _blobs(100, random).astype(np.uint8))
    card = {
        "name": name, "source": "made for a test", "title": "Binary blobs | of two levels", "licence": "none",
        "citation": "nobody", "url": None, "checksums": {"blobs.bin": "md5:0"}, "shape": [1, 28, 28], "levels": 2,
        "counts": {"train": 50_000 if name == "binarized_mnist" else 100, "valid": images, "test": images},
        "classes": None, "split": "official" if name == "binarized_mnist" else "By a seeded draw.",
        "note": "Stands in for nothing.",
    }  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card))


def _blobs(count: int, random: np.random.Generator) -> np.ndarray:
    """Return `(count, 1, 28, 28)` in {0, 1}: one disc each."""
    y, x = np.mgrid[:28, :28]
    centre = random.uniform(10, 18, (2, count, 1, 1))
    radius = random.uniform(4, 8, (count, 1, 1))
    return ((((y - centre[0]) ** 2 + (x - centre[1]) ** 2) < radius**2)[:, None]).astype(float)


def _train(root: Path, run: str, data: str, settings: dict[str, Any], random: np.random.Generator) -> None:
    folder = _plan(root, Plan("train_vae", run, {"data": f"data/{data}"}, f"models/vae/{run}", settings))
    rows = []
    for seed in settings["schedule"]["seeds"]:
        for epoch in range(1, settings["schedule"]["epochs"] + 1):
            elbo = -101 - 66 * np.exp(-(epoch - 1) / 2.6) + 0.2 * random.standard_normal()
            rows.append({
                "seed": seed, "epoch": epoch, "train_loss": 0.5 - elbo, "valid_elbo": elbo,
                "reconstruction": -elbo - 25, "kl": 25.0, "test_elbo": elbo + 0.1,
            })  # fmt: skip
    history.write(folder / "history.csv", rows)


def _score(root: Path, run: str, data: str, images: int, seeds: list[int], random: np.random.Generator) -> None:
    inputs = {"data": f"data/{data}", "model": f"models/vae/{run}"}
    plan = Plan("likelihood", run, inputs, f"scores/likelihood/{run}", {"importance_samples": COUNTS})
    folder = _plan(root, plan)
    numbers = {str(seed): _numbers(random) for seed in seeds}
    protocol = {
        "data": data,
        "split": "test",
        "images": images,
        "likelihood": "Bernoulli",
        "elbo": "sampled",
        "estimator": "sampled",
    }
    layers = [
        {"half": "encoder", "layer": "Linear", "parameters": 386_000},
        {"half": "decoder", "layer": "Linear", "parameters": 356_584},
    ]
    summary.write(folder, protocol, numbers, layers=layers)
    originals = _blobs(64, random)
    np.save(folder / "originals.npy", originals.astype(np.uint8))
    np.save(folder / "reconstructions.npy", (0.1 + 0.8 * originals).astype(np.float32))
    np.save(folder / "interpolation.npy", (0.9 * _blobs(12, random)).astype(np.float32))
    np.save(folder / "samples.npy", (0.9 * _blobs(64, random)).astype(np.float32))


def _numbers(random: np.random.Generator) -> dict[str, Any]:
    shift = 0.1 * random.standard_normal()
    values = {str(k): -95 + shift - 5 / (1 + np.log(k)) for k in COUNTS}
    return {
        "elbo": {"valid": shift - 101, "test": shift - 100.9},
        "reconstruction": 76.0,
        "kl": 25.0,
        "active_units": 20,
        "bits_per_dimension": {"elbo": 0.2, "log_likelihood": 0.19},
        "log_likelihood": {
            k: {"value": value, "standard_error": 0.4, "effective_sample_size": int(k) ** 0.5}
            for k, value in values.items()
        },
    }

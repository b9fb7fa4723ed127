"""Making of an evaluator: get the feature network, describe the reference images, measure floor and ceiling."""

import json
from pathlib import Path
from typing import Any

import torch

from pipeline.data import store
from pipeline.features import classifier, inception
from pipeline.features.evaluator import Evaluator, Scoring, load_network
from pipeline.features.pixels import quantised
from pipeline.features.train import fit
from pipeline.runtime import history
from pipeline.runtime.seeding import generator


def build(
    data: Path,
    output: Path,
    *,
    feature_network: dict[str, Any],
    training: dict[str, Any] | None,
    reference: str,
    samples: int,
    scoring: dict[str, int],
    device: torch.device,
    scratch: Path,
    log: history.Log,
) -> None:
    """Make the evaluator of one data set; write it, its floor and its ceiling.

    The floor is the score of real images of another split, the ceiling that of noise: what a perfect generator can hope
    for, and what one has that has learnt nothing.

    Args:
        data: folder of the data set.
        output: folder to write the network's weights, `network.json`, `reference.safetensors`, `metrics.json` and a
            classifier's `history.csv` into.
        feature_network: `kind` and settings: `classifier` with `width` and `dimensions` (see `Classifier`), or
            `inception` with `weights` (see `inception.store`).
        training: of the classifier, see `pipeline.features.train.fit`; `None` for `inception`.
        reference: the split that generated images are compared with.
        samples: images of floor and ceiling: as many as will be generated, since the Fréchet distance falls with their
            number.
        scoring: see `Scoring`.
        device: where to compute.
        scratch: folder of checkpoints.
        log: called after each epoch of the classifier with seed, epoch and its measurements.
    """
    images, network = store.load(data, device), dict(feature_network)
    images.split(reference)  # must be there, before anything is trained
    if training is None:
        inception.store(output, network["weights"])
    else:
        _, channels, size, _ = images.split("train").shape
        network |= {
            "channels": channels,
            "size": size,
            "classes": int(max(y.max() for y in images.labels.values())) + 1,
        }
        settings = {key: value for key, value in network.items() if key != "kind"}
        model, rows = fit(images, settings, device=device, scratch=scratch, log=log, **training)
        classifier.save(output, model)
        history.write(output / "history.csv", rows)
    name = images.card["name"]
    splits = {split: quantised(images.signed(pixels)) for split, pixels in images.images.items()}
    made = load_network(output, network, name, device)
    evaluator = Evaluator.of(made, splits[reference], Scoring(**scoring), f"{name}, {reference} split")
    evaluator.save(output, network, name)
    metrics: dict[str, Any] = {"protocol": evaluator.protocol(samples)}
    if training is not None:
        metrics["accuracy"] = {
            key.removesuffix("_accuracy"): value for key, value in rows[-1].items() if key.endswith("_accuracy")
        }
    if other := next((split for split in ("test", "train") if split != reference and split in splits), None):
        chosen = torch.randperm(len(splits[other]), generator=generator("floor"))[:samples].to(device)
        metrics["floor"] = {
            "source": f"{name}, {other} split",
            "images": len(chosen),
            **evaluator.score(splits[other][chosen]),
        }
    noise = torch.randint(
        256, (samples, *splits[reference].shape[1:]), generator=generator("ceiling"), dtype=torch.uint8
    ).to(device)
    metrics["ceiling"] = {"source": "uniform noise", "images": samples, **evaluator.score(noise)}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

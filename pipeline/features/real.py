"""Scores of real images, damaged and not, and of noise: what the scores of generated images are held against."""

import json
from pathlib import Path
from typing import Any

from pipeline.data import store
from pipeline.features import complete
from pipeline.features.build import described, sample, uniform_noise
from pipeline.features.damage import damaged
from pipeline.features.settings import Evaluation
from pipeline.runtime.context import Context
from pipeline.runtime.seeding import generator


def score(data: Path, features: Path, output: Path, settings: Evaluation, context: Context) -> None:
    """Score what is known with one evaluator and write `metrics.json`.

    The `floor` is the score of real images of other splits than the reference: a perfect generator reaches it. One
    that has learnt nothing scores like `noise`. Real images with known damage, `damaged`, lie between. Beside them
    stands the `accuracy` of a classifier: scores of one that confuses classes are blind to such confusion.

    Args:
        data: Folder of the data set.
        features: Folder of the evaluator.
        output: Folder to write into.
        settings: Settings of the evaluator.
        context: Where to compute.
    """
    images = store.load(data, context.device)
    name, shape = images.card["name"], images.card["shape"]
    evaluator = complete.load(features, context.device, shape)
    metrics: dict[str, Any] = {"protocol": evaluator.protocol(settings.samples)}
    made = json.loads((features / "metrics.json").read_text())
    if "accuracy" in made:
        metrics["accuracy"] = made["accuracy"]
    if splits := images.held_out if settings.reference == "train" else ["train"]:
        chosen, labels = sample(images, splits, settings)
        metrics["floor"] = {
            "source": described(name, splits, settings), "images": len(chosen), **evaluator.score(chosen)
        }  # fmt: skip
        metrics["damaged"] = {
            kind: {"images": len(worse), **evaluator.score(worse)}
            for kind, worse in damaged(chosen, labels, generator("damaged")).items()
            if len(worse) >= settings.scoring.least[0]
        }
    noise = uniform_noise(settings, shape)
    scores = evaluator.score(noise.to(context.device))
    metrics["noise"] = {"source": "uniform noise", "images": len(noise), **scores}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

"""Scores of somebody's samples, beside those of real images, damaged ones and noise with the same evaluator."""

import json
from pathlib import Path
from typing import Any

import torch

from pipeline.data import checksum
from pipeline.data.errors import DataError
from pipeline.features import complete
from pipeline.features.settings import EvaluatorDescription
from pipeline.runtime import settings
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import main_checkout
from pipeline.score import pictures
from pipeline.score.settings import TheirSamples

BESIDE = ("accuracy", "floor", "damaged", "noise")
"""What is known of an evaluator and stands beside scores."""


def score_theirs(features: Path, real: Path, output: Path, theirs: TheirSamples, context: Context) -> None:
    """Score the samples of one run and write `metrics.json`; see `score`.

    Raises:
        UserError: If they are not there, not those that params.yaml means, or not what the evaluator takes.
    """
    place = main_checkout() / theirs.path
    if not place.exists():
        raise DataError(f"{place}: no such file or folder; put the samples there or correct `path`.")
    if (found := checksum.of(place)) != theirs.sha256:
        raise DataError(
            f"{place}: its sha256 is {found}, params.yaml says {theirs.sha256}. If the samples have changed on purpose,"
            " put the new one there."
        )
    scores = score(place, features, real, context.device, theirs.resize)
    scores["samples"]["source"] = theirs.path  # without the folder of this checkout
    (output / "metrics.json").write_text(json.dumps(scores, indent=2) + "\n")


def score(place: Path, features: Path, real: Path, device: torch.device, resize: bool = False) -> dict[str, Any]:
    """Score images with an evaluator.

    Args:
        place: Folder of pictures, or file of an array.
        features: Folder of the evaluator.
        real: Folder of its scores of real images and noise.
        device: Where to compute.
        resize: Whether pictures of another size are scaled.

    Returns:
        The `protocol`, the `samples` with their scores, what stands `BESIDE` them, and `notes`, sentences about them.

    Raises:
        UserError: If there is no such evaluator, or the images are not what it takes.
    """
    name = features.name
    if not (real / "metrics.json").is_file():
        there = ", ".join(sorted(folder.name for folder in real.parent.glob("*"))) or "none"
        raise UserError(f"{name}: no such evaluator; `dvc repro score_real@{name}` makes it; there: {there}.")
    description = settings.read(features / "network.json", EvaluatorDescription)
    images = pictures.read(place, pictures.Wanted.of(name, description), resize)
    evaluator = complete.load(features, device, images.shape[1:])
    notes = pictures.check(images, evaluator)
    known = json.loads((real / "metrics.json").read_text())
    found = evaluator.score(torch.from_numpy(images).to(device))
    protocol = evaluator.protocol(len(images)) | {"resized_before": "centre square, PIL bicubic" if resize else "no"}
    samples = {"source": str(place), "images": len(images), **found}
    beside = {kind: known[kind] for kind in BESIDE if kind in known}
    if "floor" in beside and (count := beside["floor"]["images"]) != len(images):
        notes.append(
            f"The floor is of {count} images, the samples are {len(images)}: the fewer images, the larger the Fréchet"
            " distance and the smaller the coverage."
        )
    return {"protocol": protocol, "samples": samples, **beside, "notes": notes}


def text(scores: dict[str, Any]) -> str:
    """Return scores as a table, with what is to be said of them."""
    shown: dict[str, dict[str, Any]] = {name: scores[name] for name in ("samples", "floor") if name in scores}
    shown |= {kind.replace("_", " "): each for kind, each in scores.get("damaged", {}).items()}
    shown["noise"] = scores["noise"]
    lines = [["", *shown], ["images", *(str(each["images"]) for each in shown.values())]]
    for key, name in scores["protocol"]["names"].items():
        row = []
        for each in shown.values():
            spread = each.get(f"{key}_spread")
            row.append(f"{each[key]:.4g}" + (f" ± {spread:.2g}" if spread is not None else ""))
        lines.append([name, *row])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    said = [f"note: {note}" for note in scores["notes"]]
    if accuracy := scores.get("accuracy"):
        said.append(
            "accuracy of the classifier: "
            + ", ".join(f"{split} {100 * share:.1f} %" for split, share in accuracy.items())
        )
    words = ("feature_network", "reference", "reference_images", "resize", "resized_before")
    return "\n".join([*table, "", *said, *(f"{key}: {scores['protocol'][key]}" for key in words)])

"""Score somebody's samples as ours are: `python -m pipeline.score FOLDER --features digits28`.

FOLDER holds pictures; an .npy or .npz file of bytes `(n, h, w)`, `(n, c, h, w)` or `(n, h, w, c)` does as well. Beside
the scores stand those of real images (floor) and of noise with the same evaluator.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from pipeline.features import evaluator as evaluators
from pipeline.features.settings import EvaluatorDescription
from pipeline.runtime import settings
from pipeline.runtime.device import prepare
from pipeline.runtime.errors import UserError
from pipeline.score import pictures

MODELS = Path("models/features")


def main() -> None:
    """Read the command line, print the scores, and write them where that is asked for."""
    options = _options()
    try:
        scores = score(options.samples, MODELS / options.features, prepare(), options.resize)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(text(scores))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(scores, indent=2) + "\n")


def score(place: Path, features: Path, device: torch.device, resize: bool = False) -> dict[str, Any]:
    """Score images with an evaluator.

    Args:
        place: Folder of pictures, or file of an array.
        features: Folder of the evaluator.
        device: Where to compute.
        resize: Whether pictures of another size are scaled.

    Returns:
        The `protocol`, the `samples` with their scores, those of the evaluator's `floor` and `noise`, and `notes`.

    Raises:
        UserError: If there is no such evaluator, or the images are not what it takes.
    """
    if not (features / "metrics.json").is_file():
        there = ", ".join(sorted(folder.name for folder in features.parent.glob("*"))) or "none"
        raise UserError(
            f"{features}: no such evaluator; `dvc repro features@{features.name}` makes it; there: {there}."
        )
    description = settings.read(features / "network.json", EvaluatorDescription)
    images = pictures.read(place, pictures.Wanted.of(features.name, description), resize)
    evaluator = evaluators.load(features, device, images.shape[1:])
    notes = pictures.check(images, evaluator)
    beside = json.loads((features / "metrics.json").read_text())
    found = evaluator.score(torch.from_numpy(images).to(device))
    protocol = evaluator.protocol(len(images)) | {"resized_before": "centre square, PIL bicubic" if resize else "no"}
    samples = {"source": str(place), "images": len(images), **found}
    kept = {name: beside[name] for name in ("floor", "noise") if name in beside}
    notes += [_counted(name, each["images"], len(images)) for name, each in kept.items()]
    return {"protocol": protocol, "samples": samples, **kept, "notes": [note for note in notes if note]}


def _counted(name: str, beside: int, count: int) -> str:
    if beside == count:
        return ""
    return f"{name}: from {beside} images, not {count}; the fewer the images, the larger the Fréchet distance."


def text(scores: dict[str, Any]) -> str:
    """Return scores as a table, with what is to be said of them."""
    columns = [name for name in ("samples", "floor", "noise") if name in scores]
    names = scores["protocol"]["names"]
    lines = [["", *columns], ["images", *(str(scores[column]["images"]) for column in columns)]]
    for key, name in names.items():
        row = []
        for column in columns:
            spread = scores[column].get(f"{key}_spread")
            row.append(f"{scores[column][key]:.4g}" + (f" ± {spread:.2g}" if spread is not None else ""))
        lines.append([name, *row])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    said = [f"note: {note}" for note in scores["notes"]]
    words = ("feature_network", "reference", "reference_images", "resize", "resized_before")
    return "\n".join([*table, "", *said, *(f"{key}: {scores['protocol'][key]}" for key in words)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.score", description=__doc__)
    parser.add_argument("samples", type=Path, help="folder of pictures, or .npy or .npz file")
    parser.add_argument("--features", required=True, help="evaluator: a run of the section `features`, digits28")
    parser.add_argument("--resize", action="store_true", help="scale pictures of another size, and say so")
    parser.add_argument("--out", type=Path, help="JSON file to write scores and protocol into")
    return parser.parse_args()


if __name__ == "__main__":
    main()

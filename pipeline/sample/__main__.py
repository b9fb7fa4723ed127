"""Sample from a trained model: `python -m pipeline.sample gan/main --count 64 --seed 0 --out FOLDER`.

Images are written as `00000.png` ... and as the array `samples` of `samples.npz`, points of flows as arrays named after
the flow and a scatter plot; `samples.json` says what they are samples of.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from pipeline.report import style
from pipeline.runtime.arguments import positive
from pipeline.runtime.device import prepare
from pipeline.runtime.errors import UserError, told
from pipeline.sample.models import Generator, load


def main() -> None:
    """Read the command line and write samples."""
    options = _options()
    with told():
        model = load(options.model, options.trained, prepare(), best=options.best)
        if not isinstance(model, Generator):
            raise UserError(f"{options.model}: a network of features, which generates nothing.")
        print(write(model, options.count, options.seed, options.out))


def write(model: Generator[Any], count: int, seed: int, folder: Path) -> str:
    """Write samples into a folder and return a sentence about them.

    Args:
        model: The trained model.
        count: Number of samples.
        seed: Seed of the latents.
        folder: A new or empty folder.

    Raises:
        UserError: If something lies in the folder: it would be taken for samples.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: not an empty folder; choose a new one.")
    found = {name: samples.cpu() for name, samples in model.sample(count, seed).items()}
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: samples.numpy() for name, samples in found.items()}
    np.savez_compressed(folder / "samples.npz", **arrays)
    origin = model.origin
    card = {"model": origin.name, "trained_with_seed": origin.seed, "step": origin.step, "count": count, "seed": seed}
    (folder / "samples.json").write_text(json.dumps(card, indent=2) + "\n")
    if "samples" in found:
        for number, image in enumerate(found["samples"]):
            _picture(image, folder / f"{number:05d}.png")
    else:
        _scatter(found, folder / "samples.png")
    return f"{count} samples of {origin.name}, trained with seed {origin.seed}, in {folder}"


def _picture(image: Tensor, file: Path) -> None:
    """Write one image, uint8 `(c, h, w)` of 1 or 3 channels."""
    pixels = image.permute(1, 2, 0).numpy()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file)


def _scatter(found: dict[str, Tensor], file: Path) -> None:
    with style.panels(file, len(found), 4, 2.4, 2.6) as panels:
        for axes, (name, points) in zip(panels, found.items(), strict=True):
            axes.plot(*points.T.numpy(), ".", ms=2)
            axes.set_title(name.replace("_", " "), fontsize=8)
            axes.set_aspect("equal", adjustable="datalim")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sample", description=__doc__)
    parser.add_argument("model", help="family and run, gan/main; or the folder of an exported model")
    parser.add_argument("--count", type=positive, default=64, help="number of samples; 64 by default")
    parser.add_argument("--seed", type=int, default=0, help="seed of the latents; 0 by default")
    parser.add_argument("--trained", type=int, help="seed of the training; the first by default")
    parser.add_argument("--best", action="store_true", help="the best stored generator instead of the last one")
    parser.add_argument("--out", type=Path, required=True, help="new folder to write into")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Export a trained model: `python -m pipeline.export gan/main --out FOLDER`.

FOLDER then holds its weights (`model.safetensors`), what the network is built from (`network.json`) and a card
(`README.md`) with data, settings, scores, licence, and three lines that load it. `--register NAME` makes it a version
of a registered model of MLflow as well.
"""

import argparse
from pathlib import Path

from pipeline.export import card, register
from pipeline.runtime.errors import UserError, told
from pipeline.sample.models import CPU, load


def main() -> None:
    """Read the command line and export a model."""
    options = _options()
    with told():
        print(export(options.model, options.out, trained=options.trained, best=options.best, name=options.register))


def export(
    model: str, folder: Path, root: Path = Path(), *, trained: int | None = None, best: bool = False, name: str = ""
) -> str:
    """Export a model of a checkout and return a sentence about it.

    Args:
        model: Family and run, `gan/main`.
        folder: A new or empty folder.
        root: Root of the checkout.
        trained: Seed of its training; the first one by default.
        best: Whether to take the best stored generator instead of the last one.
        name: Name of a registered model of MLflow to make it a version of; none where empty.

    Raises:
        UserError: If there is no such model, something lies in the folder, or MLflow does not know its training.
    """
    loaded = load(model, trained, CPU, root, best=best)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: not an empty folder; name a new one.")
    folder.mkdir(parents=True, exist_ok=True)
    loaded.save(folder)
    card.write(loaded, folder, root)
    said = f"{model}, trained with seed {loaded.origin.seed}, in {folder}"
    return f"{said}; {register.register(folder, loaded.origin, root, name)}" if name else said


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="family and run: gan/main, vae/bernoulli, flow/k8, simsiam/default")
    parser.add_argument("--trained", type=int, help="seed of the training; the first by default")
    parser.add_argument("--best", action="store_true", help="the best stored generator instead of the last one")
    parser.add_argument("--register", default="", metavar="NAME", help="registered model of MLflow to add a version to")
    parser.add_argument("--out", type=Path, required=True, help="new folder to write into")
    return parser.parse_args()


if __name__ == "__main__":
    main()

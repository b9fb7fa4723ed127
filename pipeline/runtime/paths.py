"""Where things live that belong to a checkout but to no experiment."""

import os
from pathlib import Path


def main_checkout() -> Path:
    """Return the root of the main checkout, also when DVC runs a stage in a temporary copy of it.

    DVC sets `DVC_ROOT` to the main checkout for every stage, `dvc exp run --temp` and `--queue` included; without DVC
    it is the folder that holds this package.
    """
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).resolve().parents[2]).resolve()


def scratch() -> Path:
    """Return the folder of checkpoints, locks and partial downloads; it may be deleted whenever nothing runs."""
    return main_checkout() / ".scratch"

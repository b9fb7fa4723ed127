"""What surrounds a computation and cannot change its result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch  # takes a second, and some stages need none

Row = Mapping[str, float]
Log = Callable[[int, int, Row], None]
"""Shows a row of a training's history while it runs: its seed, its epoch or step, and what was measured."""


def silent(seed: int, position: int, row: Row) -> None:
    """Log nothing."""


@dataclass(frozen=True)
class Context:
    """Where a stage computes, where it keeps what must survive a kill, and to whom it shows its progress.

    Args:
        device: Device of all large tensors.
        scratch: Folder of checkpoints; it belongs to one content of plan, inputs and sources.
        log: Called for every row of a training's history.
    """

    device: "torch.device"
    scratch: Path
    log: Log = silent

"""Checkpoints: the last resumable state of one piece of work, in one file that is replaced as a whole."""

import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from pipeline.runtime import files, parent

SECONDS = 10.0  # between two checkpoints; a kill loses at most this much work


class Checkpoint:
    """The last resumable state of one piece of work.

    A state is only resumed by the version of torch, the device model and the number of threads that wrote it. They
    decide the last bits of a sum, and a resumed run has to end with the same bytes as an undisturbed one.

    Args:
        folder: Where the file lies; kept by the caller for one content of plan, inputs and sources.
        name: Name of the piece, such as `seed_0`.
        device: Device on which the work is done.
    """

    def __init__(self, folder: Path, name: str, device: torch.device) -> None:
        self.path = folder / f"{name}-{_machine(device)}.pt"
        self._device = device
        self._written = time.monotonic()
        self._seconds = float(os.environ.get("PIPELINE_CHECKPOINT_SECONDS") or SECONDS)

    def load(self) -> Any:
        """Return the stored state with its tensors on the device, or `None` where there is none.

        A damaged file is removed with a sentence: the work starts afresh.
        """
        if not self.path.exists():
            return None
        content = self.path.read_bytes()  # what cannot even be read is no damage, and the user's to repair
        try:
            return torch.load(io.BytesIO(content), map_location=self._device, weights_only=True)
        except torch.OutOfMemoryError:
            raise
        except Exception:  # damage has many: torch's own, pickle's, those of zip files
            print(f"{self.path} is damaged; it is removed, and the work starts afresh.", file=sys.stderr)
            self.path.unlink()
            return None

    def save(self, state: Any, *, now: bool = False) -> None:
        """Store `state` as a whole if the last checkpoint is old enough, or at once with `now`.

        Raises:
            OSError: If it cannot be stored.
            SystemExit: After storing, if DVC started this process and has been killed since.
        """
        orphaned = parent.lost()
        if not (now or orphaned or time.monotonic() - self._written >= self._seconds):
            return
        content = io.BytesIO()
        torch.save(state, content)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.write(self.path, content.getbuffer())
        self._written = time.monotonic()
        if orphaned:
            raise SystemExit("DVC is gone: checkpoint written, stopping; `dvc repro` continues from here.")


def _machine(device: torch.device) -> str:
    """Return what decides the last bits, as part of a file name."""
    model = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    words = "".join(letter if letter.isalnum() else "_" for letter in model)
    return f"torch{torch.__version__}-{words}-threads{torch.get_num_threads()}"

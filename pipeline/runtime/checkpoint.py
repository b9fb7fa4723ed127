"""Checkpoints without pickle: nested dictionaries and lists of tensors and plain values in one safetensors file."""

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.runtime import parent
from pipeline.runtime.device import precision

SECONDS = 10.0  # between two checkpoints; a kill loses at most this much work


class Checkpoint:
    """The last resumable state of one piece of training.

    A state is only ever resumed by the torch version, device, thread count and precision that wrote it: they decide the
    last bits: the resumed run ends with the same bytes as an undisturbed one.

    Args:
        folder: where the file lies; kept by the caller for one content of plan, inputs and code.
        name: of the piece, `seed_0`.
        device: where the training runs.
    """

    def __init__(self, folder: Path, name: str, device: torch.device) -> None:
        machine = f"torch{torch.__version__}-{device}-threads{torch.get_num_threads()}-{precision()}".replace(":", "")
        self.path = folder / f"{name}-{machine}.safetensors"
        self._device = device
        self._written = time.monotonic()
        self._seconds = float(os.environ.get("PIPELINE_CHECKPOINT_SECONDS") or SECONDS)

    def load(self) -> Any:
        """Return the stored state with its tensors on the device, or `None` where there is none."""
        if not self.path.exists():
            return None
        with safe_open(self.path, framework="pt", device=str(self._device)) as file:
            return _decode(json.loads(file.metadata()["structure"]), file.get_tensor)

    def save(self, state: Any, *, now: bool = False) -> None:
        """Store `state` atomically if the last checkpoint is old enough, or at once with `now`.

        Raises:
            SystemExit: after storing, if DVC started this process and has been killed since.
        """
        orphaned = parent.lost()
        if not (now or orphaned or time.monotonic() - self._written >= self._seconds):
            return
        tensors: dict[str, torch.Tensor] = {}
        structure = json.dumps(_encode(state, tensors))
        partial = self.path.with_suffix(".partial")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata={"structure": structure})
        partial.replace(self.path)
        self._written = time.monotonic()
        if orphaned:
            raise SystemExit("DVC is gone: checkpoint written, stopping; `dvc repro` continues from here.")


def _encode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    match value:
        case torch.Tensor():
            name = str(len(tensors))
            tensors[name] = value.detach().clone().contiguous()  # a clone: safetensors refuses shared memory
            return {"tensor": name}
        case dict():  # pairs, since an optimiser's state has whole numbers for keys
            return {"pairs": [[key, _encode(item, tensors)] for key, item in value.items()]}
        case list() | tuple():
            return [_encode(item, tensors) for item in value]
        case _:
            return value


def _decode(value: Any, tensor: Any) -> Any:
    match value:
        case {"tensor": name}:
            return tensor(name)
        case {"pairs": pairs}:
            return {key: _decode(item, tensor) for key, item in pairs}
        case list():
            return [_decode(item, tensor) for item in value]
        case _:
            return value

"""A machine with NVIDIA GPUs, as far as their driver's `nvidia-smi` tells."""

import os
from pathlib import Path

import pytest


def install(folder: Path, patch: pytest.MonkeyPatch, *cards: str) -> None:
    """Put an `nvidia-smi` that lists `cards` before all others, and let no variable narrow them.

    Args:
        folder: Where it is written.
        patch: Undoes all of it after the test.
        cards: UUIDs, or whole lines of the list.
    """
    lines = [
        card if card.startswith((" ", "GPU ")) else f"GPU {n}: Model (UUID: {card})" for n, card in enumerate(cards)
    ]
    program = folder / "nvidia/nvidia-smi"
    program.parent.mkdir()
    program.write_text("\n".join(["#!/bin/sh", *(f"echo '{line}'" for line in lines)]))
    program.chmod(0o755)
    patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for variable in ("CUDA_VISIBLE_DEVICES", "PIPELINE_DEVICE"):
        patch.delenv(variable, raising=False)

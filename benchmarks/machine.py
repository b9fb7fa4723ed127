"""What all benchmarks share: peers, timing in turns, so that a noisy machine disturbs both sides, and the last line."""

import importlib
import platform
import sys
import time
from collections.abc import Callable
from types import ModuleType

import torch

from pipeline.tracking.hardware import processor

PEERS = {"normflows": "python -m pip install --no-deps normflows"}
"""Libraries that benchmarks compare with and the project does not need, each with the command that installs it."""


def peer(name: str) -> ModuleType:
    """Import one of `PEERS`.

    Args:
        name: Name of the library.

    Raises:
        SystemExit: If it is not installed; the message is the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit(f"This benchmark compares with {name}: `{PEERS[name]}` installs it.")


def describe() -> str:
    """Return processor, thread count and versions in one line."""
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = f"{torch.get_num_threads()} thread(s)"
    return f"{processor()}{gpu}, {threads}, torch {torch.__version__}, Python {platform.python_version()}"


def alternate(
    pieces: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Run every piece once to warm up, then all of them in turn `rounds` times; return each one's median seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in pieces}
    for turn in range(rounds + 1):
        for name, piece in pieces.items():
            start = clock()
            piece()
            if turn:
                seconds[name].append(clock() - start)
    return {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}


def matmul_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Return the measured rate of a square matrix product in FLOP per second."""
    a = torch.randn(size, size).to(dtype)
    return 2 * size**3 / alternate({"matmul": lambda: a @ a}, 5)["matmul"]


def verdict(what: str, peer: str, factor: float, rounds: int) -> str:
    """Return the line in which every benchmark ends: `WHAT: 2.1 times faster than PEER (median of 7 rounds, ...)`."""
    return f"{what}: {factor:.1f} times faster than {peer} (median of {rounds} rounds, {describe()})"

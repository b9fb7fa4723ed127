"""Randomness as a function of its purpose: any epoch's numbers follow from (seed, purpose, epoch) alone.

A resumed run therefore needs no state of a random number generator, and a run's numbers do not depend on which other
runs or seeds happen to be trained beside it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def number(*key: int | str) -> int:
    """Hash a key such as `(seed, "noise", epoch)` to a 63-bit integer."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") >> 1


def generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator on `device` whose stream is a function of `key`."""
    return torch.Generator(device).manual_seed(number(*key))


@contextmanager
def seeded(*key: int | str) -> Iterator[None]:
    """Seed torch's global CPU generator by `key` inside the block (layer initialisation), and restore it after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number(*key))
        yield

"""One runner in a checkout at a time."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.runtime.paths import scratch


@contextmanager
def alone() -> Iterator[int]:
    """Hold the lock of this checkout's runner; workers of one that was killed hold it until they have ended."""
    file = scratch() / "locks" / "repro"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another run is active in this checkout, or being stopped; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()

"""Whether DVC, which started this process, still lives."""

import multiprocessing
import os

_PARENT = os.getppid()


def lost() -> bool:
    """Return whether this process was started by DVC and DVC is gone.

    `kill -9` of DVC leaves the stage's process running. A second `dvc repro` then finds its lock taken; the orphan
    stops at its next checkpoint, and the new process goes on from there.
    """
    if "DVC_STAGE" not in os.environ:
        return False
    worker = multiprocessing.parent_process()  # of a fork, whose own parent is the fork server
    return os.getppid() != _PARENT or (worker is not None and not worker.is_alive())

"""Whether DVC, which started this process, still lives."""

import os

_PARENT = os.getppid()


def lost() -> bool:
    """Return whether this process was started by DVC and DVC is gone.

    `kill -9` of DVC leaves the stage's process running. A second `dvc repro` then finds its lock taken; the orphan
    stops at its next checkpoint, and the new process goes on from there.
    """
    return "DVC_STAGE" in os.environ and os.getppid() != _PARENT

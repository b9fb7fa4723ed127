"""Whether all that the pipeline stands on is in order, and what to do where it is not: `python -m pipeline.doctor`."""

import sys
from collections.abc import Callable, Iterator

from pipeline.doctor import machine
from pipeline.doctor.diagnosis import Diagnosis, wrong
from pipeline.runtime.errors import UserError

Check = Callable[[], Diagnosis]

MACHINE: dict[str, Check] = {
    "python": machine.python,
    "packages": machine.packages,
    "path": machine.path,
    "git": machine.git,
    "disk": machine.disk,
}
"""What needs no package."""


def main() -> int:
    """Print a line for every matter, and return 1 if something is wrong."""
    good = True
    for matter, check in checks():
        diagnosis = examined(check)
        print(f"{'ok' if diagnosis.good else '! '} {matter:<9} {diagnosis.text}", flush=True)
        good &= diagnosis.good
    return int(not good)


def checks() -> Iterator[tuple[str, Check]]:
    """Yield the name of each matter and its check; where packages are missing only those that need none."""
    yield from MACHINE.items()
    try:
        from pipeline.doctor import project
    except ImportError as error:
        reason = f"{error}: not examined before packages are in order"
        yield "project", lambda: wrong(reason)
        return
    yield "device", project.device
    yield "params", project.hyperparameters
    yield "data", project.data
    yield "cache", project.cache
    yield "tracking", project.tracking
    yield "scratch", project.leftovers


def examined(check: Check) -> Diagnosis:
    """Return what a check finds; an error that is the user's to fix is a diagnosis."""
    try:
        return check()
    except UserError as error:
        return wrong(" ".join(str(error).split()))
    except OSError as error:
        return wrong(f"{error.strerror}: {error.filename}")


if __name__ == "__main__":
    sys.exit(main())

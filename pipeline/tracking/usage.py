"""What each stage took of this machine: a line of JSON per stage in the scratch folder, no output of DVC."""

import contextlib
import json
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime import files, paths
from pipeline.runtime.plan import Plan
from pipeline.tracking import hardware
from pipeline.tracking.records import md5

INTERVAL = 30.0  # seconds between two notes of an unfinished stage


@dataclass(frozen=True)
class Usage:
    """Time, memory and device.

    Args:
        seconds: Time that passed.
        cpu_seconds: Time of all processor cores, user and system.
        memory: The largest resident memory of any process, in MiB.
        device: Name of the GPU or processor that computed; of several, their names with semicolons between them.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: float = 0.0
    device: str = ""

    def __add__(self, other: "Usage") -> "Usage":
        """Return what two processes took one after the other."""
        devices = dict.fromkeys(name for each in (self, other) for name in each.device.split("; ") if name)
        return Usage(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.memory, other.memory),
            "; ".join(devices),
        )

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "Usage":
        """Return what a line of JSON says.

        Raises:
            TypeError, ValueError: If it holds something else.
        """
        device = str(entry.pop("device", ""))
        return cls(**{name: float(value) for name, value in entry.items()}, device=device)


@contextlib.contextmanager
def measured(plan: Plan, state: Path, root: Path = Path()) -> Iterator[None]:
    """Measure a stage, and note what it took when it is done.

    A stage that was interrupted goes on in another process. What it has taken so far lies beside its checkpoint,
    renewed every half minute, so that the time of a killed process counts but for its last half minute.

    Args:
        plan: The stage.
        state: Folder of its checkpoint.
        root: Root of the checkout.
    """
    file = state / "usage.json"
    before, start, stop = _stored(file), time.monotonic(), threading.Event()

    def now() -> Usage:
        return before + Usage(time.monotonic() - start, *_process(), hardware.used())

    def store() -> None:
        while not stop.wait(INTERVAL):
            with contextlib.suppress(OSError):  # a full disk is for the stage to meet
                files.write(file, json.dumps(asdict(now())).encode())

    thread = threading.Thread(target=store, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            files.write(file, json.dumps(asdict(now())).encode())
        raise
    finally:
        stop.set()
        thread.join()
    note(plan, now(), root)


def note(plan: Plan, usage: Usage, root: Path = Path()) -> None:
    """Add what a finished stage took."""
    with contextlib.suppress(OSError), _file().open("a") as file:  # the stage is done, whatever becomes of this
        rounded = {name: round(value, 1) if isinstance(value, float) else value for name, value in vars(usage).items()}
        file.write(json.dumps({"stage": plan.address, "plan": md5(root / plan.path)} | rounded) + "\n")


def read(plans: list[Plan], root: Path = Path()) -> dict[str, Usage]:
    """Return what each planned stage took, by its address; with the plan file as it is now, no other."""
    noted = {(stage, checksum): usage for stage, checksum, usage in _entries()}
    found = {plan.address: noted.get((plan.address, md5(root / plan.path))) for plan in plans}
    return {address: usage for address, usage in found.items() if usage is not None}


def latest() -> dict[str, float]:
    """Return the last noted seconds of each stage, whatever its plan file was then."""
    return {stage: usage.seconds for stage, _, usage in _entries()}


def _process() -> tuple[float, float]:
    """Return CPU seconds and peak memory in MiB of this process and of those that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 2**20 if sys.platform == "darwin" else 2**10  # the one counts bytes, Linux KiB
    return sum(usage.ru_utime + usage.ru_stime for usage in usages), max(usage.ru_maxrss for usage in usages) / unit


def _stored(file: Path) -> Usage:
    """Return what earlier processes of a stage took; a file that a kill cut off counts as none."""
    try:
        return Usage.read(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError, AttributeError):
        return Usage()


def _entries() -> list[tuple[str, str, Usage]]:
    """Return stage, checksum of its plan file and usage; a damaged line is left out."""
    entries = []
    for line in _file().read_text(errors="replace").splitlines() if _file().is_file() else []:
        with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            entry = json.loads(line)
            stage, checksum = entry.pop("stage"), entry.pop("plan")
            entries.append((stage, checksum, Usage.read(entry)))
    return entries


def _file() -> Path:
    return paths.scratch() / "usage.jsonl"

"""The one training loop: it owns seeds, checkpoints, snapshots, the finite check, the history, the log and the bar.

A family's training module holds what is the family's own, a `Trainee`: network, objective, and one step.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.runtime import history, weights
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.context import Context, Row
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import bar
from pipeline.runtime.weights import Weights


class Trainee(Protocol):
    """A model in training, as the loop sees it.

    All randomness is a function of the seed and of the number of the epoch or step, so that a resumed training needs
    no state of a random number generator.
    """

    remedy: str
    """What keeps a training in bounds that has diverged, for the user to read."""

    def advance(self, number: int) -> None:
        """Train for one more epoch or step, the one with this number, counted from 1."""

    def measure(self, number: int) -> Mapping[int, Row]:
        """Return for each seed what was measured since the last call, after `number` epochs or steps."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep: tensors, plain values, and lists and dictionaries of them."""

    def resume(self, state: dict[str, Any]) -> None:
        """Go back to a `state`."""

    def weights(self) -> Mapping[str, Weights]:
        """Return what is stored at the end, by name (`pipeline.runtime.weights.name`); snapshots store the first."""


@dataclass(frozen=True)
class Duration:
    """How long a training lasts, and when it is measured and stored.

    Args:
        unit: What is counted: passes over the data, or steps.
        length: Number of them.
        every: Number of them from one row of the history to the next; the last one always ends with a row.
        snapshots: Numbers after which the weights are stored as well; 0 is before training.
    """

    unit: Literal["epoch", "step"]
    length: int
    every: int = 1
    snapshots: Sequence[int] = ()


def train(trainees: Mapping[str, Callable[[], Trainee]], duration: Duration, output: Path, context: Context) -> None:
    """Train one model after the other; write their weights and `history.csv` into `output`.

    Args:
        trainees: How each model is made, by the name of its checkpoint; only one is in memory at a time.
        duration: How long each is trained.
        output: Folder to write into.
        context: Where to compute.

    Raises:
        UserError: If a measurement is not a finite number.
    """
    rows: list[Row] = []
    stored = context.scratch / "weights"  # finished weights must outlive a kill; the output folder does not
    stored.mkdir(parents=True, exist_ok=True)
    with bar(len(trainees) * duration.length, output.name.strip("."), duration.unit) as progress:
        for name, make in trainees.items():
            rows += _train_one(name, make(), duration, stored, context, progress)
    for file in sorted(stored.glob("*.safetensors")):
        shutil.copy(file, output)
    history.write(output / "history.csv", sorted(rows, key=lambda row: (row["seed"], row[duration.unit])))


def _train_one(
    name: str, trainee: Trainee, duration: Duration, stored: Path, context: Context, progress: Any
) -> list[Row]:
    checkpoint = Checkpoint(context.scratch, name, context.device)
    done, rows = 0, list[Row]()
    if state := checkpoint.load():
        trainee.resume(state["trainee"])
        done, rows = state["done"], state["rows"]
    elif 0 in duration.snapshots:
        _snapshot(trainee, duration.unit, 0, stored)
    progress.update(done)
    for number in range(done + 1, duration.length + 1):
        trainee.advance(number)
        progress.update()
        if number in duration.snapshots:
            _snapshot(trainee, duration.unit, number, stored)
        if number % duration.every == 0 or number == duration.length:
            for seed, row in trainee.measure(number).items():
                must_be_finite(row, f"seed {seed}, {duration.unit} {number}", trainee.remedy)
                rows.append({"seed": seed, duration.unit: number, **row})
                context.log(seed, number, row)
            state = {"trainee": trainee.state(), "done": number, "rows": rows}
            checkpoint.save(state, now=number == duration.length)
    for part, values in trainee.weights().items():
        weights.save(stored, part, values)
    return rows


def _snapshot(trainee: Trainee, unit: str, number: int, stored: Path) -> None:
    name, values = next(iter(trainee.weights().items()))
    weights.save(stored, weights.snapshot(name, unit, number), values)


def must_be_finite(row: Row, when: str, remedy: str) -> None:
    """Stop a training that has diverged before anything is made of it.

    Args:
        row: What was measured.
        when: Of what seed, and after which step or epoch.
        remedy: What keeps it in bounds.

    Raises:
        UserError: If a value is not a finite number.
    """
    odd = [name for name, value in row.items() if not math.isfinite(value)]
    if odd:
        verb = "is not a finite number" if len(odd) == 1 else "are not finite numbers"
        raise UserError(f"{when}: {', '.join(odd)} {verb}: training has diverged; {remedy} keeps it in bounds.")

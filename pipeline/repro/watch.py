"""What the user sees: a line for every start and end, and on a terminal one live line for each stage that runs."""

import time
from collections import deque
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.repro.workers import log_of


class Progress:
    """Shows the stages that run.

    Args:
        total: Number of stages to be done.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._since: dict[str, float] = {}
        self._console = Console(highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=2, transient=True)

    def started(self, stage: str) -> None:
        self._since[stage] = time.monotonic()
        self._say(stage, f"started, log {_relative(log_of(stage))}")

    def ended(self, stage: str, error: BaseException | None) -> None:
        seconds = time.monotonic() - self._since.pop(stage)
        if error is None:
            self._done += 1
        self._say(stage, f"done in {seconds:.0f} s" if error is None else f"failed after {seconds:.0f} s")

    def _say(self, stage: str, what: str) -> None:
        width = len(str(self._total))
        self._console.print(f"{self._done:{width}}/{self._total}  {stage}: {what}", markup=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        for stage, since in sorted(self._since.items()):
            table.add_row(stage, f"{time.monotonic() - since:.0f} s", "".join(end_of(log_of(stage), 1)))
        return table

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()


def end_of(log: Path, lines: int) -> list[str]:
    """Return the last `lines` of a log that are not empty, nothing where there is no log."""
    if not log.exists():
        return []
    with log.open(errors="replace") as text:
        return list(deque((line.rstrip() for line in text if line.strip()), lines))


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

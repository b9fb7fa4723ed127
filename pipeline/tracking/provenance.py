"""What differs from machine to machine, beside the report: hardware, git revision, time and memory of each stage."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from pipeline.runtime.plan import read_all
from pipeline.tracking import hardware, usage
from pipeline.tracking.usage import Usage

FILE = Path("reports/provenance.md")


def write(root: Path = Path()) -> Path:
    """Write `reports/provenance.md` below `root` and return its path."""
    plans = read_all(root)
    took = usage.read(plans, root)
    stages = {
        name: [took[plan.address] for plan in plans if plan.stage == name and plan.address in took]
        for name in dict.fromkeys(plan.stage for plan in plans)
    }
    sums = {name: sum(usages, Usage()) for name, usages in stages.items() if usages}
    facts = {
        "processor": f"{hardware.processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory():.1f} GiB",
        "accelerator": _accelerators(),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "torch": version("torch"),
        "git revision": revision(root),
    }
    text = [
        "# Where and when this was run",
        "",
        "Written after `dvc repro`, and no output of it: the same results on another machine give another file.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
        "Time and memory of each stage that this checkout has run itself, in all processes that it was continued in:"
        " the seconds that passed, the seconds of all cores, the largest memory of a process, and what computed. A"
        " stage without numbers came from the cache.",
        "",
        "| stage | seconds | CPU seconds | memory (MiB) | computed on |",
        "|---|---:|---:|---:|---|",
        _row("**all**", sum(took.values(), Usage())),
        *(_row(f"**all of {name}**", total) for name, total in sums.items()),
        *(_row(plan.address, took.get(plan.address)) for plan in plans),
    ]
    (root / FILE).parent.mkdir(exist_ok=True)
    (root / FILE).write_text("\n".join(text) + "\n", encoding="utf-8")
    return root / FILE


def _memory() -> float:
    """Return the machine's memory in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _accelerators() -> str:
    """Ask the driver, which is faster than importing torch."""
    if not shutil.which("nvidia-smi"):
        return "none"
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return "; ".join(found.stdout.splitlines()) or "none"


def revision(root: Path, *own: str) -> str:
    """Return the commit of a checkout, and whether its files were changed.

    Args:
        root: Root of the checkout.
        own: Files whose changes do not count.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    if not shutil.which("git") or not (head := git("rev-parse", "HEAD")):
        return "not a git checkout"
    pathspecs = (".", *(f":!{file}" for file in own))
    return head + (" with changes" if git("status", "--porcelain", "--untracked-files=no", "--", *pathspecs) else "")


def _row(name: str, took: Usage | None) -> str:
    cells = ["", "", "", ""]
    if took is not None:
        cells = [f"{took.seconds:,.1f}", f"{took.cpu_seconds:,.1f}", f"{took.memory:,.0f}", took.device]
    return f"| {name} | {' | '.join(cells)} |"

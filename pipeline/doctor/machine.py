"""Checks that import nothing but Python's own modules: they work where packages are missing."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.doctor.diagnosis import Diagnosis, listed, wrong

OLDEST = (3, 11)
SPACE = 2 << 30  # bytes, several times what the default profile leaves behind
BIN = Path(sys.executable).parent


def python(found: Sequence[int] = sys.version_info[:3]) -> Diagnosis:
    """Check the version of Python."""
    shown = f"{'.'.join(map(str, found))}, {sys.executable}"
    if tuple(found[:2]) < OLDEST:
        return wrong(f"{shown}; {'.'.join(map(str, OLDEST))} or newer is needed: `make repro PYTHON=python3.12`")
    return Diagnosis(shown)


def packages(requirements: Path = Path("requirements.txt")) -> Diagnosis:
    """Compare what is installed with the versions that are pinned."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return wrong(
            f"{sys.executable} has none of {requirements}: `make .venv/installed` makes an environment that has"
        )
    lines = [line for line in requirements.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    wanted = [each for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate()]
    odd = []
    for each in wanted:
        try:
            installed = version(each.name)
        except PackageNotFoundError:
            odd.append(f"{each.name} is missing")
            continue
        if not each.specifier.contains(installed, prereleases=True):
            odd.append(f"{each.name} is {installed}, not {str(each.specifier).lstrip('=')}")
    if odd:
        return wrong(f"{listed(odd)}: `{sys.executable} -m pip install -r {requirements}`")
    return Diagnosis(f"{len(wanted)}, as {requirements} has them")


def path() -> Diagnosis:
    """Check that the shell finds the commands of this environment."""
    own, remedy = BIN / "dvc", f"`source {BIN / 'activate'}`, once per shell, or write {BIN / 'dvc'}"
    if not own.exists():
        return wrong(f"{own} is not there: `make .venv/installed` makes an environment that has it")
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if (Path(sysconfig.get_path("purelib")) / "environment.pth").exists():
        folders = folders[1:]  # which every Python of this environment puts there for what it starts
    found = shutil.which("dvc", path=os.pathsep.join(folders))
    if found is None:
        return wrong(f"the shell finds no dvc: {remedy}")
    if Path(found).parent.resolve() != BIN.resolve():
        return wrong(f"the shell finds {found}, of another environment: {remedy}")
    return Diagnosis(f"the shell finds {found}")


def git() -> Diagnosis:
    """Check for a repository, an author, and files that a merge left in conflict."""

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)

    if not shutil.which("git"):
        return wrong("not installed; DVC needs it, for its experiments are commits")
    status = ask("status", "--porcelain=v2", "--branch")
    if status.returncode:
        return wrong(f"{status.stderr.strip().splitlines()[0]}; work in a clone of the repository")
    lines = status.stdout.splitlines()
    if unmerged := [line.split()[-1] for line in lines if line.startswith("u ")]:
        return wrong(
            f"a merge left {listed(unmerged)} in conflict: `git checkout --ours` or `--theirs`, then `git add`"
        )
    if any(ask("config", f"user.{what}").returncode for what in ("name", "email")):
        return wrong("no author of commits, which experiments are: `git config user.name ...` and `user.email ...`")
    head = next(line.split(maxsplit=2)[2] for line in lines if line.startswith("# branch.head"))
    changed = sum(not line.startswith("#") for line in lines)
    return Diagnosis(f"branch {head}, {changed} changed file{'s' * (changed != 1)}")


def disk(folders: Sequence[Path] = (Path(), Path(".dvc"), Path(".scratch")), needed: int = SPACE) -> Diagnosis:
    """Check the space for outputs, DVC's cache and checkpoints, and that they can be written."""
    there = [folder.resolve() for folder in folders if folder.exists()]
    if closed := [str(folder) for folder in there if not os.access(folder, os.W_OK)]:
        return wrong(f"{listed(closed)} cannot be written: change the owner or the permissions")
    tightest = min(there, key=lambda folder: shutil.disk_usage(folder).free)
    shown = f"{shutil.disk_usage(tightest).free / 2**30:,.1f} GiB free at {tightest}"
    if shutil.disk_usage(tightest).free < needed:
        return wrong(f'{shown}; "Free the disk" in docs/tour.md says what may go')
    return Diagnosis(shown)

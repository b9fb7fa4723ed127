"""Whether two clones end with the same bytes, and which is faster: `python -m tools.clones FOLDER`.

Two clones of the last commit run a command each, in turn and from an empty cache: one stage at a time in the first, two
in the second. What DVC then records of every stage, checksums of all inputs and outputs, must be the same in both.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.runtime.sources import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to clone into")
    parser.add_argument("--commands", nargs=2, default=["make repro JOBS=1", "make repro JOBS=2"])
    parser.add_argument("--venv", type=Path, help="a virtual environment to share; by default each clone makes its own")
    options = parser.parse_args()
    clones = [clone(options.folder / name, options.venv) for name in ("first", "second")]
    seconds = [timed(command, folder) for command, folder in zip(options.commands, clones, strict=True)]
    for command, took in zip(options.commands, seconds, strict=True):
        print(f"{command}: {took:.1f} s")
    print(f"ratio: {seconds[0] / seconds[1]:.2f}")
    first, second = (recorded(folder) for folder in clones)
    names = sorted(first.keys() | second.keys())
    different = [name for name in names if first.get(name) != second.get(name)]
    for name in different:
        print(f"{name}: {first.get(name)} in the first, {second.get(name)} in the second")
    print(f"{len({name.split()[0] for name in names})} stages, {len(different)} of {len(names)} values differ")
    sys.exit(bool(different) or not names)


def clone(folder: Path, venv: Path | None) -> Path:
    """Clone this repository's last commit, ready to run, and return the absolute path.

    Args:
        folder: The folder to make.
        venv: A virtual environment that `make` has made, to link; without one the clone makes its own.
    """
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    (folder / "dvc.lock").unlink()  # all that stands in it in the end will have been written there
    if venv:
        (folder / ".venv").symlink_to(venv.resolve(strict=True))
        os.utime(folder / "requirements.txt", (0, 0))  # newer than the environment, it would be installed anew
    subprocess.run(["make", ".venv/installed"], cwd=folder, stdout=sys.stderr, check=True)
    return folder.resolve()


def timed(command: str, folder: Path) -> float:
    """Run a command in a clone and return its seconds; what it says goes to stderr."""
    environment = {**os.environ, "PATH": f"{folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"}
    start = time.monotonic()
    subprocess.run(command, shell=True, cwd=folder, env=environment, stdout=sys.stderr, check=True)
    return time.monotonic() - start


def recorded(folder: Path) -> dict[str, Any]:
    """Return each value in a clone's dvc.lock by the names that lead to it, stage first."""
    return leaves(YAML(typ="safe").load(folder / "dvc.lock")["stages"])


def leaves(value: Any, *names: Any) -> dict[str, Any]:
    """Return the innermost values of mappings and lists; files in a list go by their paths."""
    if isinstance(value, list):
        value = {one["path"] if isinstance(one, dict) and "path" in one else at: one for at, one in enumerate(value)}
    if not isinstance(value, dict):
        return {" ".join(map(str, names)): value}
    return {name: leaf for key, inner in value.items() for name, leaf in leaves(inner, *names, key).items()}


if __name__ == "__main__":
    main()

"""Which modules of this repository a script imports: what makes it run again, and what a checkpoint is valid for."""

import ast
import hashlib
import os
from functools import cache
from pathlib import Path

import yaml

from pipeline.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("sources")
"""Folder in which `plan` lists the modules of each stage, `sources/train_vae.yaml`."""

EXEMPT = {
    "stages/job.py": "reads the plan file, takes locks and moves the output into place; computes nothing",
    "pipeline/runtime/context.py": "device, scratch folder and log of a computation",
    "pipeline/runtime/errors.py": "the class of errors that are shown without a traceback",
    "pipeline/runtime/parent.py": "notices that DVC was killed",
    "pipeline/runtime/paths.py": "where scratch files and records live",
    "pipeline/runtime/progress.py": "progress bars",
    "pipeline/runtime/sources.py": "this list",
    "pipeline/tracking": "records in MLflow; reads what stages wrote and writes nothing they read",
}
"""Modules and packages that cannot change an output: no dependency of a stage but `plan`, each with the reason."""


def checksums(script: str) -> dict[str, str]:
    """Return the MD5 of `script` and of each module it imports, by path, without the exempt ones.

    `plan` writes them to `sources/<stage>.yaml`, through which a stage depends on them. As lists in dvc.yaml they would
    have to be kept by hand, and make up two thirds of dvc.lock, which DVC reads and writes at every stage.

    Args:
        script: path relative to the root of the repository, `stages/train_vae.py`.

    Raises:
        UserError: if a module is missing or not Python.
    """
    return {module: hashlib.md5((ROOT / module).read_bytes()).hexdigest() for module in imported(script)}


def verify(stage: str) -> None:
    """Make sure that the modules which a stage runs are those that DVC will record.

    Raises:
        UserError: if one was edited after `plan` had listed them.
    """
    file = FOLDER / f"{stage}.yaml"
    if "DVC_STAGE" in os.environ and file.exists():
        listed, found = yaml.safe_load(file.read_text()), checksums(f"stages/{stage}.py")
        if changed := sorted(path for path in listed | found if listed.get(path) != found.get(path)):
            raise UserError(f"{stage}: {', '.join(changed)} was edited after `plan` had run; the same command goes on.")


def imported(script: str) -> list[str]:
    """Return `script` and the modules of this repository it imports, directly or not, sorted, without the exempt ones.

    Imports inside functions count; what an exempt module imports counts too, unless that is a whole exempt package.

    Args:
        script: path relative to the root of the repository, `stages/train_vae.py`.
    """
    seen: set[str] = set()
    waiting = [script]
    while waiting:
        module = waiting.pop()
        if module not in seen and not _exempt(Path(module).parent):
            seen.add(module)
            waiting += _imports(module)
    return sorted(module for module in seen if not _exempt(Path(module)))


def _exempt(path: Path) -> bool:
    return any(str(place) in EXEMPT for place in (path, *path.parents))


@cache
def _imports(module: str) -> list[str]:
    names: set[str] = set()
    try:
        tree = ast.parse((ROOT / module).read_text())
    except FileNotFoundError:
        raise UserError(f"{module}: no such module.") from None
    except SyntaxError as error:
        raise UserError(f"{module}, line {error.lineno}: not Python: {error.msg}.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = (name.replace(".", "/") + ".py" for name in names)
    return [path for path in paths if path.startswith(("pipeline/", "stages/")) and (ROOT / path).is_file()]

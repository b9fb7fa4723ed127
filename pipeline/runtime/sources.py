"""Which modules and packages a script imports: what makes it run again, and what its checkpoints are valid for."""

import ast
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import yaml

from pipeline.runtime import files
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("sources")
"""Folder in which `plan` lists the modules and packages of each stage, `sources/train_vae.yaml`."""

PACKAGES = {name: name for name in ("torch", "torchvision", "numpy", "scipy")} | {
    "sklearn": "scikit-learn", "PIL": "pillow", "torch_fidelity": "torch-fidelity",
}  # fmt: skip
"""Packages that compute, another version of which may give another result, and the distributions they come from."""

EXEMPT = {
    "stages/__init__.py": "how often Python looks for garbage",
    "stages/job.py": "reads the plan file, takes locks and moves the output into place; computes nothing",
    "pipeline/runtime/context.py": "device, scratch folder and log of a computation",
    "pipeline/runtime/errors.py": "errors that are shown as a sentence, without a traceback",
    "pipeline/runtime/files.py": "reads YAML, computes checksums, and writes the bytes that it is given, as a whole",
    "pipeline/runtime/gpus.py": "lists GPUs for the runner, and for the sentence that refuses one",
    "pipeline/runtime/parent.py": "notices that DVC was killed",
    "pipeline/runtime/paths.py": "where scratch files and records live",
    "pipeline/runtime/progress.py": "progress bars",
    "pipeline/runtime/sources.py": "this list",
    "pipeline/tracking": "records in MLflow; reads what stages wrote and writes nothing they read",
}
"""Modules and packages that cannot change an output: no dependency of a stage but `plan`, each with the reason."""


Listing = dict[str, dict[str, str]]


def listing(script: str) -> Listing:
    """Return a checksum of `script` and of each module that it imports, and the versions of the packages that compute.

    A checksum is that of what Python runs, the syntax tree: another wording of a comment or docstring is the same
    module and trains nothing again.

    `plan` writes them to `sources/<stage>.yaml`, through which a stage depends on them. As lists in dvc.yaml they would
    have to be kept by hand, and make up two thirds of dvc.lock, which DVC reads and writes at every stage. What follows
    a `+` in a version, `2.15.0+cpu`, names the device that it was built for, which is no part of an experiment.

    Args:
        script: Path relative to the root of the repository, `stages/train_vae.py`.

    Returns:
        `modules` by path, without the exempt ones, and `packages` by name.

    Raises:
        UserError: If a module is missing or not Python.
    """
    modules = imported(script)
    tops = {name.partition(".")[0] for module in modules for name in _read(module).names}
    packages = sorted(PACKAGES[top] for top in tops & PACKAGES.keys())
    return {
        "modules": {module: _read(module).checksum for module in modules},
        "packages": {package: version(package).partition("+")[0] for package in packages},
    }


def verify(stage: str) -> None:
    """Make sure that the modules and packages which a stage runs are those that DVC will record.

    A stage does so before it starts and before its output moves into place. A list that is not right is removed, so
    that DVC finds `plan` changed and makes it again.

    Raises:
        UserError: If one changed after `plan` had listed them.
    """
    file = FOLDER / f"{stage}.yaml"
    if "DVC_STAGE" in os.environ and file.exists():
        listed, found = _listed(file), _entries(listing(f"stages/{stage}.py"))
        if changed := sorted(name for name in listed | found if listed.get(name) != found.get(name)):
            file.unlink()
            verb = "has" if len(changed) == 1 else "have"
            raise UserError(
                f"{stage}: {', '.join(changed)} {verb} changed since `plan` was run; rerun the same command."
            )


def _listed(file: Path) -> dict[str, str]:
    """Return the entries of a list that `plan` wrote; of a damaged one none."""
    try:
        return _entries(files.parsed(file.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
        return {}


def _entries(listed: Listing) -> dict[str, str]:
    return {name: value for kind in listed.values() for name, value in kind.items()}


def imported(script: str) -> list[str]:
    """Return `script` and the modules of this repository it imports, directly or not, sorted, without the exempt ones.

    Imports inside functions count; what an exempt module imports counts too, unless that is a whole exempt package.

    Args:
        script: Path relative to the root of the repository, `stages/train_vae.py`.

    Raises:
        UserError: If a module is missing or not Python.
    """
    found: set[str] = set()
    waiting = [script]
    while waiting:
        module = waiting.pop()
        if module not in found and not _exempt(Path(module).parent):
            found.add(module)
            waiting += _modules(_read(module).names)
    return sorted(module for module in found if not _exempt(Path(module)))


def _exempt(path: Path) -> bool:
    return any(str(place) in EXEMPT for place in (path, *path.parents))


def _modules(names: Iterable[str]) -> list[str]:
    """Return the paths of those names that are modules of this repository."""
    paths = (name.replace(".", "/") + ".py" for name in names)
    return [path for path in paths if path.startswith(("pipeline/", "stages/")) and (ROOT / path).is_file()]


@dataclass(frozen=True)
class _Module:
    """What a module imports, `numpy.typing`, and takes from there, `pipeline.flow.planar.forward`; its checksum."""

    names: frozenset[str]
    checksum: str


def _read(module: str) -> _Module:
    """Read the source of a module of this repository."""
    try:
        text = (ROOT / module).read_text()
    except FileNotFoundError:
        raise UserError(f"{module}: no such module.") from None
    return _parsed(module, text)


@cache
def _parsed(module: str, text: str) -> _Module:
    names: set[str] = set()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UserError(f"{module}, line {error.lineno}: not Python: {error.msg}.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return _Module(frozenset(names), hashlib.md5(repr(_meaning(tree)).encode()).hexdigest())


def _meaning(node: object) -> object:
    """Return a syntax tree as nested tuples, the same in every version of Python, without docstrings.

    Comments, line breaks and positions are no part of a tree. Empty fields go, of which newer versions have more.
    """
    if isinstance(node, ast.AST):
        fields = ((name, _meaning(value)) for name, value in ast.iter_fields(node))
        return type(node).__name__, *((name, value) for name, value in fields if value not in (None, ()))
    if isinstance(node, list):
        return tuple(_meaning(item) for item in node if not _is_docstring(item))
    return node


def _is_docstring(node: object) -> bool:
    """Whether a node is a string that is a statement: Python computes nothing from it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

"""From params.yaml to plan files: read, check all of it, expand, write."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.config import counts, data, dirac, features, flow, gan, samples, simsiam, theirs, vae
from pipeline.config.base import Schema, mapping, unknown
from pipeline.config.family import Family
from pipeline.runtime import files, plan, sources
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan

FAMILIES = {
    family.name: family
    for family in (
        features.FAMILY, vae.FAMILY, samples.FAMILY, theirs.FAMILY, flow.FAMILY, flow.LAYERS, simsiam.FAMILY,
        dirac.GAMES, gan.FAMILY,
    )
}  # fmt: skip

SCHEMAS: dict[str, type[Schema]] = {
    name: family.hyperparameters if isinstance(family, Family) else dirac.DiracHyperparameters
    for name, family in FAMILIES.items()
}
"""Schema of the hyperparameters at the top of each family's section."""

REPORT = "report"
"""The one stage besides `plan` that has no plan file: it reads all of them."""


def read(path: Path) -> Any:
    """Read params.yaml by the rules of YAML 1.2, as DVC does (`3e-4` is a number).

    Raises:
        UserError: If there is no such file or it is not YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{path}{line}: not YAML: {error.problem}.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None


def expand(params: object) -> list[Plan]:
    """Check all of params.yaml and return one plan per stage and run.

    Raises:
        UserError: Listing every key that is unknown, missing, of the wrong type or out of range.
    """
    root, errors = mapping(params, "params.yaml")
    sections = ["data", *FAMILIES]
    errors += [unknown("", key, sections) for key in root if key not in sections]
    errors += [
        f"{name}: missing; params.yaml has the sections {', '.join(sections)}" for name in sections if name not in root
    ]
    plans, sets, more = data.expand(root.get("data", {}))
    errors += more
    entries = {"data": sets} | {name: _runs(root.get(name)) for name in FAMILIES}
    for name, family in FAMILIES.items():
        if name in root:
            expanded, more = family.expand(root[name], entries)
            plans += expanded
            errors += more
    errors = errors or counts.check(plans, root)
    if errors:
        raise UserError("\n".join(["params.yaml cannot be run:", *(f"  {error}" for error in errors)]))
    return counts.passed_on(plans)


def _runs(section: object) -> list[str]:
    """Return the names of a section's runs, whether or not they can be run."""
    runs = section.get("runs") if isinstance(section, Mapping) else None
    return [str(name) for name in runs] if isinstance(runs, Mapping) else []


def write(plans: list[Plan], root: Path = Path()) -> None:
    """Write the plan files and what each stage imports under `root`; a file that is right already is left alone.

    Plan files of removed runs are deleted, and so are the outputs of their stages (they stay in DVC's cache): a later
    stage that reads a whole folder of outputs must not find a run that is no longer planned.

    Raises:
        UserError: If a module is missing or not Python; nothing is written or removed then.
    """
    stages = {each.stage for each in plans} | {REPORT}
    modules = {f"{stage}.yaml": yaml.safe_dump(sources.listing(f"stages/{stage}.py")) for stage in stages}
    planned = {each.path: each.text() for each in plans}
    outputs = {each.output for each in plans}
    for path in (root / plan.FOLDER).glob("*/*.yaml"):
        if path.relative_to(root) not in planned:
            output = _output(path)
            path.unlink()
            if output and output not in outputs:
                shutil.rmtree(root / output, ignore_errors=True)
    for path in (root / sources.FOLDER).glob("*"):
        if path.name not in modules:
            path.unlink()
    for path, text in planned.items():
        _put(root / path, text)
    for name, text in modules.items():
        _put(root / sources.FOLDER / name, text)


def _output(path: Path) -> str:
    """Return the output of a plan file; of a damaged one nothing."""
    try:
        return str(Plan.read(path).output)
    except (yaml.YAMLError, UnicodeDecodeError, TypeError):
        return ""


def _put(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text.encode())

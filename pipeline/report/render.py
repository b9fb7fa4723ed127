"""The report: chapters, their figures and the reported numbers, rendered into a folder."""

import hashlib
import json
import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report import reported as numbers
from pipeline.report.chapter import Chapter
from pipeline.report.chapters import beta_vae, data, dirac, flow, gan, mlp_vae, simsiam, vae
from pipeline.report.reported import Found, Reported, Row, Value
from pipeline.report.results import Results
from pipeline.runtime.errors import UserError

CHAPTERS: tuple[Chapter, ...] = (
    data.CHAPTER, vae.CHAPTER, beta_vae.CHAPTER, mlp_vae.CHAPTER, dirac.CHAPTER, gan.CHAPTER, flow.CHAPTER,
    simsiam.CHAPTER,
)  # fmt: skip
OUTPUTS = ("report.md", "figures", "curves", "summary.json")
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "pillow", "safetensors")
LONGEST = 6  # numbers of a list that a table's cell spells out


def render(root: Path, out: Path, *, allow_missing: bool, chapters: Sequence[Chapter] = CHAPTERS) -> None:
    """Render everything that is planned under `root` into `out`: report, figures, curves and `summary.json`.

    The folder is filled beside its place and moved in when complete.

    Args:
        root: root of the checkout.
        out: folder of the report.
        allow_missing: leave out what is not there, and say so in the report.
        chapters: what the report consists of.

    Raises:
        UserError: if nothing is planned or an output is missing, and `allow_missing` is not set.
    """
    results = Results(root, {stage: files for chapter in chapters for stage, files in chapter.reads.items()})
    if not allow_missing:
        if not results.plans:
            raise UserError("plan/ is empty: `dvc repro plan` writes it; --allow-missing renders without it.")
        if results.missing:
            names = "".join(f"\n  {step.output}: `dvc repro {step.address}` makes it" for step in results.missing)
            raise UserError(
                f"the report needs outputs that are not there:{names}\n--allow-missing renders without them."
            )
    partial = out / ".partial"
    shutil.rmtree(partial, ignore_errors=True)  # of a killed rendering
    partial.mkdir(parents=True)
    try:
        _fill(partial, results, chapters)
        for name in OUTPUTS:
            _move(partial / name, out / name)
    finally:
        shutil.rmtree(partial)


def _fill(out: Path, results: Results, chapters: Sequence[Chapter]) -> None:
    """Write the whole report into the empty folder `out`."""
    reported = numbers.read()
    (out / "figures").mkdir()
    (out / "curves").mkdir()
    for family, curves in results.curves().items():
        curves.to_csv(out / "curves" / f"{family}.csv", index=False)
    environment = _environment()
    texts: list[str] = []
    headlines: dict[str, float] = {}
    for chapter in chapters:
        content = chapter.write(results, reported, out)
        texts.append(environment.get_template(chapter.template).render(content.values))
        headlines |= content.headlines
    answered = [letter for chapter in chapters for letter in chapter.experiments]
    rows = [comparison(reported, row, results.find(row.ours)) for row in reported.rows if row.experiment in answered]
    values = {
        "chapters": texts,
        "rows": rows,
        "verdicts": Counter(row["verdict"] for row in rows),
        "reported": reported,
        "meaning": numbers.MEANING,
        "unanswered": Counter(row.experiment for row in reported.rows if row.experiment not in answered),
        "missing": results.missing,
        "plans": [
            (step, hashlib.sha256((results.root / step.path).read_bytes()).hexdigest()[:12]) for step in results.plans
        ],
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    (out / "report.md").write_text(environment.get_template("report.md.j2").render(values), encoding="utf-8")
    (out / "summary.json").write_text(json.dumps(headlines, indent=2, sort_keys=True) + "\n")


def comparison(reported: Reported, row: Row, found: Found | None) -> dict[str, Any]:
    """Return one row of table T03 in words."""
    conditions = reported.conditions(row)
    gap = numbers.difference(row, found) if found else None
    return {
        "row": row,
        "theirs": words(row.value),
        "ours": words(found.value, found.spread, digits=5) if found else "",
        "difference": "" if gap is None else f"at most {gap:.3g}" if isinstance(row.value, list) else f"{gap:+.3g}",
        "verdict": numbers.verdict(row, conditions, found),
        "accepted": _accepted(row) if found else "",
        "protocol": _protocol(row, conditions, found),
    }


def _protocol(row: Row, conditions: dict[str, Any], found: Found | None) -> str:
    """Name the report's protocol, and after an arrow what our run did otherwise."""
    other = numbers.deviations(conditions, found.facts) if found else {}
    shown = {key: value for key, value in conditions.items() if key in row.protocol or key in other}
    return "; ".join(f"{key} {value}" + (f" → {other[key][1]}" if key in other else "") for key, value in shown.items())


def _accepted(row: Row) -> str:
    if row.band is None:
        return f"within {row.tolerance:g}" if row.tolerance else "equal"
    low, high = row.band
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"{low} to {high}"


def words(value: Value, spread: float | None = None, digits: int = 6) -> str:
    """Return a value as a table's cell shows it: a fraction with so many digits, a long list by its ends."""
    if isinstance(value, list):
        parts = [words(part, digits=digits) for part in value]
        return ", ".join(parts) if len(parts) <= LONGEST else f"{parts[0]} … {parts[-1]} ({len(parts)} values)"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.{digits}g}" + (f" ± {spread:.2g}" if spread is not None else "")


def nats(value: float | None) -> str:
    """Return a number of nats with two decimals, nothing for what was not measured."""
    return "" if value is None else f"{value:.2f}"


def cell(text: object) -> str:
    """Return text that cannot leave its cell of a Markdown table, nor be read as HTML."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": cell, "nats": nats, "words": words}
    return environment


def _move(source: Path, target: Path) -> None:
    """Put a file or folder in the place of another."""
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)

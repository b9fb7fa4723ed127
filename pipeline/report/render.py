"""The report: chapters, their figures and the reported numbers, rendered into a folder."""

import hashlib
import json
import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report import reported as numbers
from pipeline.report.beta_vae import chapter as beta_vae
from pipeline.report.chapter import Chapter
from pipeline.report.claims import MEANING as OUTCOME_WORDS
from pipeline.report.claims import Claim, decided, three
from pipeline.report.data import chapter as data
from pipeline.report.dirac import chapter as dirac
from pipeline.report.flow import chapter as flow
from pipeline.report.gan import chapter as gan
from pipeline.report.index import index
from pipeline.report.mlp_vae import chapter as mlp_vae
from pipeline.report.page import page
from pipeline.report.reported import Found, Mistake, Reported, Row, Value
from pipeline.report.results import Results
from pipeline.report.scores import chapter as scores
from pipeline.report.simsiam import chapter as simsiam
from pipeline.report.trace import Trace
from pipeline.report.vae import chapter as vae
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan

CHAPTERS: tuple[Chapter, ...] = (
    vae.CHAPTER, gan.CHAPTER, simsiam.CHAPTER, dirac.CHAPTER, flow.CHAPTER, beta_vae.CHAPTER, mlp_vae.CHAPTER,
    scores.CHAPTER, data.CHAPTER,
)  # fmt: skip
"""In the order in which the reports' figures are numbered."""

OUTPUTS = ("report.md", "report.html", "figures", "curves", "summary.json")
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "pillow", "safetensors")
LONGEST = 6  # numbers of a list that a table's cell spells out


def render(root: Path, out: Path, *, allow_missing: bool, chapters: Sequence[Chapter] = CHAPTERS) -> None:
    """Render all that is planned under `root` into `out`: the report twice, figures, curves and `summary.json`.

    The folder is filled beside its place and moved in when complete.

    Args:
        root: root of the checkout.
        out: folder of the report.
        allow_missing: leave out what is not there, and say so in the report.
        chapters: what the report consists of.

    Raises:
        UserError: if nothing is planned or an output is missing, and `allow_missing` is not set.
    """
    results = Results(root, files_read(chapters))
    if not allow_missing:
        if not results.planned:
            raise UserError("plan/ is empty: `dvc repro plan` writes it; --allow-missing renders without it.")
        if results.missing:
            names = "".join(f"\n  {plan.output}: `dvc repro {plan.address}` makes it" for plan in results.missing)
            raise UserError(
                f"the report needs outputs that are not there:{names}\n--allow-missing renders without them."
            )
    partial = out / ".partial"
    shutil.rmtree(partial, ignore_errors=True)  # of a killed rendering
    partial.mkdir(parents=True)
    try:
        _fill(partial, results, chapters)
        for name in OUTPUTS:
            shutil.rmtree(out / name, ignore_errors=True)  # of a folder; a file is replaced
            (partial / name).replace(out / name)
    finally:
        shutil.rmtree(partial)


def files_read(chapters: Sequence[Chapter]) -> dict[str, list[str]]:
    """Return the files that chapters read from the output of each stage, by stage."""
    reads: dict[str, list[str]] = {}
    for chapter in chapters:
        for stage, files in chapter.reads.items():
            reads[stage] = list(dict.fromkeys([*reads.get(stage, ()), *files]))
    return reads


def _fill(out: Path, results: Results, chapters: Sequence[Chapter]) -> None:
    """Write the whole report into the empty folder `out`."""
    reported = numbers.read()
    (out / "figures").mkdir()
    (out / "curves").mkdir()
    for family, curves in results.curves().items():
        curves.to_csv(out / "curves" / f"{family}.csv", index=False)
    trace = Trace(results, Path(os.path.relpath(results.root, out.parent)).as_posix())
    environment = _environment(trace)
    texts: dict[bool, list[str]] = {False: [], True: []}
    headlines: dict[str, float] = {}
    sources: dict[str, Sequence[Plan]] = {}
    claims: list[Claim] = []
    for chapter in chapters:
        content = chapter.write(results, reported, out)
        text = environment.get_template(f"{chapter.folder}/chapter.md.j2").render(content.values)
        texts[chapter.provenance].append(text)
        headlines |= content.headlines
        sources |= content.sources
        claims += content.claims
    claims.sort(key=lambda claim: claim.name)
    answered = [letter for chapter in chapters for letter in chapter.experiments]
    rows = [comparison(reported, row, results.find(row.ours)) for row in reported.rows if row.experiment in answered]
    values = {
        "chapters": texts[False],
        "origins": texts[True],
        "claims": claims,
        "outcomes": Counter(claim.outcome for claim in claims),
        "here": Counter(claim.here for claim in claims if claim.here),
        "decided": sum(decided(claim) for claim in claims),
        "outcome_words": OUTCOME_WORDS,
        "rows": rows,
        "parts": {
            "measurements": [line for line in rows if not line["row"].echoed],
            "inputs (settings and sizes of data sets, which ours repeat)": [
                line for line in rows if line["row"].echoed
            ],
        },
        "errors": [(error, evidence(error, claims, rows, results)) for error in reported.errors],
        "reported": reported,
        "meaning": numbers.MEANING,
        "unanswered": Counter(row.experiment for row in reported.rows if row.experiment not in answered),
        "missing": results.missing,
        "plans": [
            (plan, hashlib.sha256((results.root / plan.path).read_bytes()).hexdigest()[:12]) for plan in results.planned
        ],
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    template = environment.get_template("report.md.j2")
    # the index needs the whole report, itself not included
    whole = template.render(values, index=[])
    found = index(reported.items, whole, sources, results.finished)
    text = trace.figures(template.render(values, index=found), sources)
    (out / "report.md").write_text(text, encoding="utf-8")
    (out / "report.html").write_text(page(text, out, environment), encoding="utf-8")
    (out / "summary.json").write_text(json.dumps(headlines, indent=2, sort_keys=True) + "\n")


def comparison(reported: Reported, row: Row, found: Found | None) -> dict[str, Any]:
    """Return one row of table T03 in words."""
    conditions = reported.conditions(row)
    other = numbers.deviations(conditions, found.facts) if found else {}
    metric = row.ours.metric if row.ours else None
    # scores of two feature networks have no common scale, and ours has a name of its own
    name = found.facts["names"][metric.split(".")[-1]] if found and metric and "feature_network" in other else ""
    gap = numbers.difference(row, found) if found and not name else None
    verdict = numbers.verdict(row, conditions, found, reported.experiments[row.experiment].allows)
    apart = numbers.deviation(row, found) if found and not verdict.startswith("other") else None
    return {
        "row": row,
        "theirs": words(row.value) + (f" ({row.means})" if row.means else ""),
        "ours": f"{words(found.value, found.spread, digits=5, count=found.count)} {name}".rstrip() if found else "",
        "difference": "" if gap is None else _difference(row, gap, apart),
        "verdict": verdict,
        "accepted": _accepted(row, found) if found else "",
        "protocol": _protocol(row, conditions, other),
        "data": _protocol(row, {"data": conditions["data"]}, other) if "data" in other else "",
    }


def evidence(error: Mistake, claims: Sequence[Claim], rows: Sequence[dict[str, Any]], results: Results) -> list[str]:
    """Return what of ours bears on an error in a report, in words."""
    named = {claim.name: claim for claim in claims}
    compared = {line["row"].id: line for line in rows}
    found = [
        f"{compared[name]['row'].quantity}: {compared[name]['theirs']}, ours {compared[name]['ours'] or 'not run'}"
        for name in error.rows
        if name in compared
    ]
    numbers_of_ours = {name: results.find(place) for name, place in error.ours.items()}
    found += [f"{name}: {words(number.value, digits=4)}" for name, number in numbers_of_ours.items() if number]
    for claim in (named[name] for name in error.claims if name in named):
        verdict = claim.verdict_here or claim.verdict
        found.append(f"{claim.name} {verdict}" + (f" ({claim.found})" if claim.found else ""))
    return found


def _difference(row: Row, gap: float, apart: float | None) -> str:
    """Return ours minus theirs, and how many of our standard deviations over seeds that is, where they are compared."""
    if isinstance(row.value, list):
        return f"at most {gap:.3g}" + (f" (at most {apart:.1f} sd)" if apart is not None else "")
    return f"{gap:+.3g}" + (f" ({apart:+.1f} sd)" if apart is not None else "")


def _protocol(row: Row, conditions: dict[str, Any], other: dict[str, tuple[Any, Any]]) -> str:
    """Name the report's protocol, and after an arrow what our run did otherwise."""
    shown = {key: value for key, value in conditions.items() if key in row.protocol or key in other}
    return "; ".join(f"{key} {value}" + (f" → {other[key][1]}" if key in other else "") for key, value in shown.items())


def _accepted(row: Row, found: Found) -> str:
    if row.bands:
        return ", ".join(f"{low} to {high}" for low, high in row.bands)
    if row.band is None:
        if numbers.chosen(row, found):
            return "contained"
        return f"within {row.tolerance:g}" if row.tolerance else "equal"
    low, high = row.band
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"{low} to {high}"


def words(value: Value | None, spread: float | list[float] | None = None, digits: int = 6, count: int = 0) -> str:
    """Return a value as a table's cell shows it: a fraction with so many digits, a long list by its ends.

    Args:
        value: The value.
        spread: Its standard deviation over seeds; that of a list is not shown.
        digits: Digits of a fraction.
        count: Number of seeds, which stands behind it; 0 of what has none.
    """
    if value is None or value == []:
        return "-"
    seeds = f" (n = {count})" if count else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        parts = [words(part, digits=digits) for part in value]
        shown = ", ".join(parts) if len(parts) <= LONGEST else f"{parts[0]} … {parts[-1]} ({len(parts)} values)"
        return shown + seeds
    if not isinstance(value, float):
        return f"{value}{seeds}"
    return f"{value:.{digits}g}" + (f" ± {spread:.2g}" if isinstance(spread, float) else "") + seeds


def nats(value: float | None) -> str:
    """Return a number of nats with two decimals, nothing for what was not measured."""
    return "" if value is None else f"{value:.2f}"


def differing(runs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the settings that runs differ in, in their order; all where there is one run."""
    keys = dict.fromkeys(key for run in runs.values() for key in run)
    values = {key: {words(run[key]) if key in run else None for run in runs.values()} for key in keys}
    return [key for key in keys if len(runs) == 1 or len(values[key]) > 1]


def cell(text: object) -> str:
    """Return text that cannot leave its cell of a Markdown table, nor be read as HTML."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _environment(trace: Trace) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["source"] = trace
    environment.filters |= {"cell": cell, "differing": differing, "nats": nats, "three": three, "words": words}
    return environment

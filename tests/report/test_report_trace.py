"""Every figure and table says which stage makes it, by which command, and where its numbers lie."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.report.render import CHAPTERS, files_read, render
from pipeline.report.results import Results
from pipeline.report.trace import Trace

Project = Callable[..., Path]
LINE = re.compile(r"^<sub>Source: .*</sub>$", re.MULTILINE)


@pytest.fixture
def trace(project: Project) -> Trace:
    return Trace(Results(project(), files_read(CHAPTERS)), "..")


def test_a_line_names_stage_run_command_plan_and_measurements(trace: Trace) -> None:
    assert trace({"likelihood": ["bernoulli"]}) == (
        "<sub>Source: `dvc repro likelihood@bernoulli` ([plan](../plan/likelihood/bernoulli.yaml),"
        " [metrics](../scores/likelihood/bernoulli/metrics.json))</sub>"
    )


def test_several_runs_are_told_apart_and_what_has_not_finished_is_left_out(trace: Trace) -> None:
    line = trace({"train_vae": ["bernoulli", "bernoulli_mc", "unknown"], "likelihood": ["bernoulli"]})
    assert line.startswith("<sub>Source: `dvc repro train_vae@bernoulli train_vae@bernoulli_mc` (bernoulli: [plan](")
    assert "[history](../models/vae/bernoulli_mc/history.csv)); `dvc repro likelihood@bernoulli`" in line
    assert "unknown" not in line
    assert trace({}) == "<sub>Source: `dvc repro report`</sub>"


def test_every_figure_and_every_table_has_a_line_whose_links_lead_somewhere(project: Project) -> None:
    root = project()
    render(root, root / "reports", allow_missing=False)
    text = (root / "reports/report.md").read_text()
    captions = re.findall(r"^!\[[^]]*\]\([^)]+\)\n\n\*[^\n]*\*\n\n(.*)$", text, re.MULTILINE)
    assert captions and all(LINE.match(line) for line in captions)
    tables = re.findall(r"(?:^\|.*\n)+\n(.*)$", text, re.MULTILINE)
    bare = [line for line in tables if not LINE.match(line)]
    assert len(tables) > 5 and bare == []
    links = [link for line in LINE.findall(text) for link in re.findall(r"\]\(([^)]+)\)", line)]
    assert links and all((root / "reports" / link).exists() for link in links)

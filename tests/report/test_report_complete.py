"""The report of the default profile's runs, all made small: every figure, table and claim is there."""

import contextlib
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import params
from PIL import Image

from pipeline.config.params import expand
from pipeline.report.render import render
from pipeline.runtime.plan import Plan
from stages.job import Job

# written from the specification, not from reported.yaml or the chapters
FIGURES = [f"F{number:02d}" for number in range(1, 35)] + ["A01"]
TABLES = ["T01", "T02", "T03"]
CLAIMS = [
    f"C{number:02d}"
    for first, last in ((1, 6), (10, 17), (20, 24), (30, 34), (40, 47), (50, 58), (60, 67), (70, 76), (80, 87))
    for number in range(first, last + 1)
]
ORDER = (
    "data", "features", "score_real", "train_vae", "likelihood", "score_samples", "train_flow", "score_flow", "planar",
    "train_simsiam", "score_simsiam", "dirac", "animate", "train_gan", "score_gan",
)  # fmt: skip
pytestmark = pytest.mark.slow

IMAGES = 60  # of each split
SMALL: dict[str, dict[str, Any]] = {
    "features": {
        "architecture": {"width": 2, "dimensions": 4}, "samples": 40,
        "training": {"epochs": 1, "batch": 20, "learning_rate": 0.01, "weight_decay": 0.0, "noise": 0.0},
        "scoring": {"splits": 2, "kid_subsets": 2, "kid_subset_size": 20, "neighbours": 3},
    },
    "train_vae": {
        "network": {"hidden": 32}, "optimiser": {"learning_rate": 0.0003},
        "schedule": {"epochs": 2, "batch": 20, "seeds": [0]},
    },
    "likelihood": {"elbo_samples": 1},
    "score_samples": {"count": 40},
    "train_flow": {"points": 100, "steps": 400, "batch": 16, "seeds": [0]},
    "score_flow": {"points": 100},
    "planar": {"points": 200, "dimensions": [16, 64], "depths": [1, 4]},
    "train_simsiam": {
        "network": {"width": 2, "projector_hidden": 8, "projector_output": 8, "predictor_hidden": 4}, "epochs": 2,
        "batch": 20,
    },
    "dirac": {"steps": 3000, "initial_points": 2},
    "animate": {"frames": 100},
    "train_gan": {
        "network": {"width": 4}, "schedule": {"steps": 8, "batch": 10, "log_every": 2, "snapshots": [0, 2, 4, 6]},
    },
    "score_gan": {
        "samples": 20, "final_samples": 20, "sampling": {"normalisation_batches": 2},
        "studies": {"perturbed_dimensions": 3, "perturbed_latents": 4, "interpolation_pairs": 8},
    },
}  # fmt: skip
SMALL["score_real"] = SMALL["features"]


def small(plan: Plan) -> Plan:
    """Return a plan that takes moments."""
    settings = dict(plan.settings)
    for name, value in SMALL.get(plan.stage, {}).items():
        settings[name] = {**settings[name], **value} if isinstance(value, dict) else value
    if plan.stage == "train_vae" and settings["schedule"]["snapshots"]:
        settings["schedule"]["snapshots"] = [1]
    if plan.stage == "likelihood" and settings["importance_samples"]:
        settings["importance_samples"] = [1, 200] if 200 in settings["importance_samples"] else [1, 2]
    if plan.stage == "dirac":
        settings["games"] = {name: settings["games"][name] for name in ("jsd_1", "jsd_4", "w1_3", "w1_8")}
    return Plan(plan.stage, plan.run, plan.inputs, plan.output, settings)


def cut(folder: Path) -> None:
    """Keep the first images of each split of a data set."""
    for file in folder.glob("*.npy"):
        np.save(file, np.load(file)[:IMAGES])
    card = json.loads((folder / "card.json").read_text())
    card["counts"] = {split: min(IMAGES, count) for split, count in card["counts"].items()}
    (folder / "card.json").write_text(json.dumps(card))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("default")
    plans = sorted(expand(params()), key=lambda plan: ORDER.index(plan.stage))
    with contextlib.chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_DEVICE", "cpu")
        for plan in map(small, plans):
            for folder in (plan.path.parent, Path(plan.output)):
                folder.mkdir(parents=True, exist_ok=True)
            plan.path.write_text(plan.text())
            job = Job(plan, Path(plan.output), root / ".scratch" / plan.address, lambda *_: None)
            importlib.import_module(f"stages.{plan.stage}").main(job)
            if plan.stage == "data":
                cut(Path(plan.output))
        render(root, root / "reports", allow_missing=False)
        yield root / "reports"


def test_every_figure_table_and_claim_of_the_reports_is_there(report: Path) -> None:
    text = (report / "report.md").read_text()
    captions = "\n".join(re.findall(r"^!\[[^]]*\]\([^)]+\)\n\n\*(.*)\*$", text, re.MULTILINE))
    headings = "\n".join(re.findall(r"^#+ .*$", text, re.MULTILINE))
    assert [name for name in FIGURES if name not in captions] == []
    assert [name for name in TABLES if name not in headings] == []
    rows = re.findall(r"^\| (C\d\d) \|", text, re.MULTILINE)
    assert [name for name in CLAIMS if name not in rows] == []
    assert len(rows) == len(set(rows))
    index = text[text.index("### Figures and tables of the reports") : text.index("### T03")]
    assert all(f"| {name} |" in index for name in FIGURES + TABLES)
    assert "not run" not in index and "lacking" not in index


def test_no_table_has_an_empty_column(report: Path) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", (report / "report.md").read_text(), re.MULTILINE):
        head, _, *body = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.strip().splitlines()]
        empty = [
            name for name, column in zip(head, zip(*body, strict=True), strict=True) if not "".join(column).strip()
        ]
        assert empty in ([], [" margin "])  # a margin has an interval where there are several seeds


def test_every_figure_is_named_once_exists_and_is_not_blank(report: Path) -> None:
    text = (report / "report.md").read_text()
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    files = {str(path.relative_to(report)) for path in (report / "figures").rglob("*") if path.is_file()}
    assert len(shown) == len(set(shown)) and set(shown) == files
    assert set(re.findall(r"\]\((figures/[^)]+)\)", text)) == files  # links of claims and of the index
    for path in files:
        with Image.open(report / path) as image:
            assert np.asarray(image.convert("L")).std() > 1, path


def test_links_within_the_report_lead_somewhere(report: Path) -> None:
    html = (report / "report.html").read_text()
    places = set(re.findall(r' id="([^"]+)"', html))
    links = set(re.findall(r'href="#([^"]+)"', html))
    assert links and links <= places
    # one file that needs no other, but for links to the plan files and measurements that it was made from
    assert not re.findall(r'(?:src|href)="(?!data:|#|https?://|\.\./(?:plan|data|models|scores)/)[^"]*"', html)


def test_errors_found_in_the_reports_stand_with_our_evidence(report: Path) -> None:
    text = (report / "report.md").read_text()
    errors = text[text.index("## Errors found in the reports") : text.index("## Glossary")]
    rows = [line for line in errors.splitlines() if re.match(r"\| 00\d \|", line)]
    assert len(rows) == 15
    assert all(line.split(" | ")[2].strip(" |") for line in rows)
    assert "KL at beta = 0: " in errors

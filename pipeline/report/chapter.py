"""What a chapter of the report is: one module under `chapters/`, one template, listed in `render.CHAPTERS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report.claims import Claim
from pipeline.report.reported import Reported
from pipeline.report.results import Results


@dataclass(frozen=True)
class Content:
    """What one rendering of a chapter comes to.

    Args:
        values: variables of its template.
        headlines: its headline numbers for `summary.json`, by a dotted name.
        claims: what became of the reports' claims about its experiments.
    """

    values: dict[str, Any]
    headlines: dict[str, float]
    claims: Sequence[Claim] = ()


@dataclass(frozen=True)
class Chapter:
    """How one chapter is made.

    Args:
        template: file under `templates/`.
        reads: files that it reads from the output of each stage, by stage.
        experiments: letters of the experiments whose reported numbers it answers.
        write: draws its figures into the `figures/` of the given folder and returns its content.
        provenance: it says where things come from, and stands at the end.
    """

    template: str
    reads: Mapping[str, Sequence[str]]
    experiments: tuple[str, ...]
    write: Callable[[Results, Reported, Path], Content]
    provenance: bool = False

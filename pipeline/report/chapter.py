"""What a chapter of the report is: a folder with its figures, rules and templates, listed in `render.CHAPTERS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.report.claims import Claim
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan


@dataclass(frozen=True)
class Content:
    """What one rendering of a chapter comes to.

    Args:
        values: Variables of its templates, which the findings and the answers read too.
        headlines: Its headline numbers for `summary.json`, by a dotted name.
        claims: What became of the reports' claims about its experiments.
        sources: The plans that each of its figures shows, by the figure's path.
    """

    values: dict[str, Any]
    headlines: dict[str, float]
    claims: Sequence[Claim] = ()
    sources: Mapping[str, Sequence[Plan]] = field(default_factory=dict)


@dataclass(frozen=True)
class Chapter:
    """How one chapter is made.

    Args:
        folder: Name of the folder with its templates: `chapter.md.j2` for the report's main part, `appendix.md.j2` for
            its appendix; either may be missing.
        reads: Files that it reads from the output of each stage, by stage.
        experiments: Letters of the experiments whose reported numbers it answers.
        write: Writes its figures into the `figures/` of the given folder and returns its content.
    """

    folder: str
    reads: Mapping[str, Sequence[str]]
    experiments: tuple[str, ...]
    write: Callable[[Results, Reported, Path], Content]

"""The numbers that the five reports state, and how ours compares with each of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.runtime import files

Number = int | float
Value = Number | str | list[Number | str]
INFINITE = (-math.inf, math.inf)
Band = tuple[Number | None, Number | None]
Verdict = Literal["matches", "differs", "within band", "outside band", "other data", "other settings", "not run"]

MEANING: dict[Verdict, str] = {
    "matches": "differs from the report's number by no more than is accepted",
    "differs": "differs by more",
    "within band": "inside the band in which a faithful repetition falls",
    "outside band": "outside that band",
    "other data": "our run used another data set, so that the difference has no verdict",
    "other settings": "the same data set but other settings, so that the difference has no verdict",
    "not run": "no finished run measures it",
}


class Part(BaseModel):
    """A part of reported.yaml or claims.yaml: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CourseReport(Part):
    """One of the five reports."""

    file: str
    course: str


class Experiment(Part):
    """What the rows of one experiment share.

    `settings` are conditions of every measured number; `allows` names those that a band allows for.
    """

    title: str
    settings: dict[str, Any] = {}
    allows: list[str] = []


class Place(Part):
    """Where a number of ours is found: a finished stage of a run, and a metric, curve, setting or card entry of it.

    A setting of several runs is a list: of all whose settings are those in `where`.
    """

    stage: str
    run: str = ""
    where: dict[str, Any] = {}
    metric: str | None = None
    curve: str | None = None
    setting: str | None = None
    card: str | None = None
    reduce: Literal["last", "all", "ends", "range", "product", "sign", "trained", "parts", "epochs"] | None = None
    times: str | None = None
    negate: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.metric, self.curve, self.setting, self.card)) != 1:
            raise ValueError("exactly one of metric, curve, setting, card is needed")
        if bool(self.run) == bool(self.where) or (self.where and self.setting is None):
            raise ValueError("either a run is needed, or `where` for a setting of several")
        if self.curve is not None and self.reduce is None:
            raise ValueError("a curve needs `reduce`")
        return self


class Row(Part):
    """One reported number; see the head of reported.yaml."""

    id: str
    report: str
    experiment: str
    quantity: str
    value: Value
    unit: str = ""
    protocol: dict[str, Any] = {}
    ours: Place | None
    band: Band | None = None
    bands: list[Band] | None = None
    tolerance: float | None = Field(default=None, ge=0)
    because: str = ""
    means: str | None = None
    headline: bool = False
    given: bool = False

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        limits = sum(limit is not None for limit in (self.band, self.bands, self.tolerance))
        if self.ours is not None and limits != 1:
            raise ValueError(f"{self.id}: a number that is compared needs either a band, bands or a tolerance")
        if self.tolerance is None and limits and not self.because:
            raise ValueError(f"{self.id}: a band needs a reason, `because`")
        return self

    @property
    def echoed(self) -> bool:
        """Whether the number was chosen, not measured: ours agrees because we gave it to the run."""
        chosen = self.ours is not None and (self.ours.setting is not None or self.ours.card is not None)
        return self.given or chosen


class Item(Part):
    """A figure, table or animation of the reports; `shows` names runs, by stage, without which ours is not it."""

    report: str
    what: str
    shows: dict[str, list[str]] = {}

    @property
    def runs(self) -> set[tuple[str, str]]:
        """Stage and run of all that it shows."""
        return {(stage, run) for stage, runs in self.shows.items() for run in runs}


class Mistake(Part):
    """Something wrong in a report: claims, reported numbers and numbers of ours, by name, that bear on it."""

    report: str
    what: str
    claims: list[str] = []
    rows: list[str] = []
    ours: dict[str, Place] = {}


class Claimed(Part):
    """What a report claims, and the words for what became of it; see the head of claims.yaml."""

    reports: str
    claim: str
    added: str = ""
    rule: str
    found: str
    figure: str = ""
    data: str = ""
    needs: dict[str, int] = {}
    conditions: dict[str, Any] = {}
    here: dict[str, float] = {}
    only: str = ""
    counted: bool = False
    question: bool = False
    likely: str = ""


class Reported(Part):
    """The whole of reported.yaml and claims.yaml."""

    reports: dict[str, CourseReport]
    experiments: dict[str, Experiment]
    items: dict[str, Item]
    errors: list[Mistake]
    rows: list[Row]
    claims: dict[str, Claimed]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [row.id for row in self.rows]
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"rows that stand twice: {sorted(twice)}")
        for row in self.rows:
            if row.report not in self.reports or row.experiment not in self.experiments:
                raise ValueError(f"{row.id}: unknown report {row.report} or experiment {row.experiment}")
        named = {name for error in self.errors for name in (*error.rows, *error.claims)}
        if unknown := named - {*ids, *self.claims}:
            raise ValueError(f"errors name rows or claims that do not exist: {sorted(unknown)}")
        return self

    def row(self, name: str) -> Row:
        """Return the row with this id."""
        return next(row for row in self.rows if row.id == name)

    def conditions(self, row: Row) -> dict[str, Any]:
        """Return what must hold of our run for its number to be compared with `row`."""
        if row.given or (row.ours is not None and row.ours.setting):
            return {}
        if row.ours is not None and row.ours.card:
            return dict(row.protocol)
        # the row's own protocol comes first, and wins
        return {**row.protocol, **self.experiments[row.experiment].settings, **row.protocol}


def read() -> Reported:
    """Read the two data files that lie beside this module."""
    reports, claims = (
        files.parsed(Path(__file__).with_name(f"{name}.yaml").read_text()) for name in ("reported", "claims")
    )
    return Reported.model_validate({**reports, "claims": claims["claims"]})


@dataclass(frozen=True)
class Found:
    """Our number.

    Args:
        value: As it was measured.
        facts: What is known of the run and the measurement: `data`, `split`, `images` and the settings.
        spread: Standard deviation over seeds, of every number of a list; `None` where there is one seed or none.
        count: Number of seeds, 0 of what no seed changes.
    """

    value: Value
    facts: dict[str, Any]
    spread: float | list[float] | None = None
    count: int = 0


def deviations(conditions: dict[str, Any], facts: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the (condition, fact) pairs that are known on both sides and differ, by key."""
    return {key: (want, facts[key]) for key, want in conditions.items() if key in facts and facts[key] != want}


def difference(row: Row, found: Found) -> float | None:
    """Return ours minus the report's: signed for two numbers, the largest absolute one for two lists.

    Of a list of ours from which theirs is a choice the nearest elements count, of two curves the epochs that both have.
    Words have no difference, and other lists of other lengths have none.
    """
    theirs, ours = row.value, found.value
    if isinstance(ours, list) and chosen(row, found):
        ours = [_nearest(ours, t) for t in theirs] if isinstance(theirs, list) else _nearest(ours, theirs)
    if isinstance(theirs, Number) and isinstance(ours, Number):
        return float(ours - theirs)
    if isinstance(theirs, list) and isinstance(ours, list) and (len(theirs) == len(ours) or _is_curve(row)):
        pairs = [(t, o) for t, o in zip(theirs, ours, strict=False) if isinstance(t, Number) and isinstance(o, Number)]
        gaps = [abs(o - t) for t, o in pairs]
        return float(max(gaps, key=lambda gap: math.inf if math.isnan(gap) else gap)) if gaps else None
    return None


def deviation(row: Row, found: Found) -> float | None:
    """Return by how many of our standard deviations over seeds ours differs, of lists at most, where they are known."""
    if isinstance(found.spread, float) and isinstance(found.value, Number) and isinstance(row.value, Number):
        return (found.value - row.value) / found.spread if found.spread else None
    if isinstance(found.spread, list) and isinstance(found.value, list) and isinstance(row.value, list):
        triples = zip(row.value, found.value, found.spread, strict=False)
        return max(
            (abs(o - t) / s for t, o, s in triples if isinstance(t, Number) and isinstance(o, Number) and s),
            default=None,
        )
    return None


def chosen(row: Row, found: Found) -> bool:
    """Whether theirs may be a choice from ours: a number or a shorter list beside a list that is not a curve."""
    if not isinstance(found.value, list) or _is_curve(row):
        return False
    return not isinstance(row.value, list) or len(row.value) < len(found.value)


def _nearest(ours: list[Number | str], theirs: Number | str) -> Number | str:
    """Return the number of ours nearest to theirs, nothing if either has none."""
    numbers = [o for o in ours if isinstance(o, Number)]
    return min(numbers, key=lambda o: abs(o - theirs), default="") if isinstance(theirs, Number) else ""


def _inside(value: Number | str, band: Band) -> bool:
    low, high = (infinity if limit is None else limit for limit, infinity in zip(band, INFINITE, strict=True))
    return isinstance(value, Number) and low <= value <= high


def _is_curve(row: Row) -> bool:
    return row.ours is not None and row.ours.curve is not None


def verdict(row: Row, conditions: dict[str, Any], found: Found | None, allows: Sequence[str] = ()) -> Verdict:
    """Compare our number, if a finished run measures it, with the report's under `conditions`.

    Args:
        row: The report's number.
        conditions: What must be true of our run.
        found: Our number.
        allows: Conditions whose violation the row's limits allow for.
    """
    if found is None:
        return "not run"
    other = deviations({key: want for key, want in conditions.items() if key not in allows}, found.facts)
    if "data" in other:
        return "other data"
    if other:
        return "other settings"
    if row.band is not None or row.bands is not None:
        values = found.value if isinstance(found.value, list) else [found.value]
        bands = row.bands or [row.band or INFINITE] * len(values)
        inside = len(bands) == len(values) and all(map(_inside, values, bands))
        return "within band" if inside else "outside band"
    if found.value == (row.means or row.value):
        return "matches"
    theirs, ours = row.value, found.value
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) != len(ours) and not chosen(row, found):
        return "differs"
    gap = difference(row, found)
    return "matches" if gap is not None and abs(gap) <= (row.tolerance or 0.0) else "differs"

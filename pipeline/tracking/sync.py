"""Bring MLflow level with the files that DVC tracks: one run for every finished stage, whoever ran it and wherever."""

import hashlib
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pipeline.runtime import paths
from pipeline.runtime.plan import Plan
from pipeline.tracking import records, runs, store
from pipeline.tracking.records import Record
from pipeline.tracking.sheets import sheets
from pipeline.tracking.store import Points

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Summary:
    """What a sync found and did; `str` of it is one line for people.

    Args:
        recorded: Finished stages whose record is in the store.
        new: Those recorded just now.
        updated: Those that got figures or files which they lacked.
        unfinished: Planned stages without a record: they have not run, or their outputs are not those of `dvc.lock`.
        failure: Why nothing more was recorded, `None` where all went well.
    """

    recorded: int = 0
    new: int = 0
    updated: int = 0
    unfinished: int = 0
    failure: str | None = None

    def __str__(self) -> str:
        if not store.enabled():
            return "tracking: off"
        if self.failure:
            return f"tracking: {self.failure}; {store.LATER}"
        counts = f"{self.recorded} run{'s' * (self.recorded != 1)} recorded, {self.new} new"
        if self.updated:
            counts += f", {self.updated} with new figures"
        if self.unfinished:
            counts += f", {self.unfinished} not finished"
        return f"tracking: {counts}, in {store.shown(store.uri())}"


def sync(root: Path = Path(), figures: Path | None = None, everything: bool = False) -> Summary:
    """Record every finished training and scoring of a checkout that the store does not hold yet.

    A record is known by stage, plan file and the checksums of inputs and outputs, so a second sync adds nothing. Those
    that the store holds get the figures which were plotted or changed since. Whatever is wrong with the store
    is told in the summary, not raised.

    Args:
        root: Root of the checkout.
        figures: Folder of the figures, `reports/figures` below `root` where it is not given.
        everything: Whether the store is asked about every record and all files are added again, even if nothing has
            changed since the last sync.
    """
    if not store.enabled():
        return Summary()
    try:
        return _sync(root, figures or root / "reports" / "figures", everything)
    except Exception as error:  # a driver that is missing, a database that is damaged: no reason to fail a stage
        return Summary(failure=store.reason(error))


def record_copy(plan: Plan) -> Summary:
    """Record a stage that has just ended in a temporary copy, as experiments of DVC's queue do; nothing elsewhere.

    The copy is gone when the checkout is synchronised.
    """
    in_copy = Path.cwd() != paths.main_checkout()
    if not (in_copy and store.enabled() and records.is_recorded(plan)):
        return Summary()
    try:
        with _in_turn():
            return _upsert([records.just_finished(plan)], 0, everything=False)
    except Exception as error:  # as above
        return Summary(failure=store.reason(error))


def _sync(root: Path, figures: Path, everything: bool) -> Summary:
    with _in_turn():
        found, unfinished = records.finished(root, figures)
        digest = hashlib.sha256(json.dumps([(r.key, r.figures_digest()) for r in found]).encode()).hexdigest()
        note = _note(digest)
        if note and not everything and _note_file().exists() and _note_file().read_bytes() == note.encode():
            return Summary(recorded=len(found), unfinished=unfinished)
        summary = _upsert(found, unfinished, everything)
        if summary.unfinished == unfinished:
            _note_file().write_text(_note(digest))
        return summary


def _in_turn() -> FileLock:
    """Return the lock under which processes write to the store one after the other: SQLite refuses some that meet."""
    paths.scratch().mkdir(parents=True, exist_ok=True)
    return FileLock(paths.scratch() / "tracking-sync.lock")


def _upsert(found: list[Record], unfinished: int, everything: bool) -> Summary:
    families: dict[str, list[Record]] = defaultdict(list)
    for record in found:
        families[records.family(record.plan)].append(record)
    client = store.connect()
    recorded = new = updated = 0
    for name, members in families.items():
        experiment = store.experiment(client, name)
        held = store.search(client, experiment, "tags.outputs != ''")
        known = {tuple(run.data.tags.get(tag) for tag in members[0].key): run for run in held}
        for record in members:
            run = known.get(tuple(record.key.values()))
            if run is not None:
                recorded += 1
                updated += _refresh(client, run, record, everything)
            elif record.intact():
                recorded += 1
                new += 1
                _publish(client, experiment, record)
            else:
                unfinished += 1
    return Summary(recorded, new, updated, unfinished)


def _refresh(client: "MlflowClient", run: "Run", record: Record, everything: bool) -> bool:
    """Add the figures that the record lacks, and all files where its folder of artifacts is gone; tell if it did."""
    folder = store.artifact_folder(run)
    gone = folder is not None and not folder.is_dir()
    if gone or everything:
        store.add_files(client, run, record.files())
    if gone:
        _add_sheets(client, run, record)
    figures = record.figures_digest()
    if gone or everything or (record.figures and figures != run.data.tags.get("figures")):
        store.add_files(client, run, record.figures, "figures")
        store.write(client, run.info.run_id, tags={"figures": figures})
        return True
    return False


def _publish(client: "MlflowClient", experiment: str, record: Record) -> None:
    """Write the whole record of a finished stage, completing the run of its training where there is one."""
    curves = record.seeds()
    run, children = _adopt(client, experiment, record, curves)
    for seed in sorted(curves.keys() | children.keys()):
        child = children.get(seed) or runs.create_child(client, run, seed)
        _complete(client, child, curves.get(seed, {}))
        store.write(client, child.info.run_id, params=record.params())
        client.set_terminated(child.info.run_id)
    _complete(client, run, record.summary())
    store.add_files(client, run, record.files())
    store.add_files(client, run, record.figures, "figures")
    _add_sheets(client, run, record)
    tags = {**record.weights(), "figures": record.figures_digest(), **record.key}
    store.write(client, run.info.run_id, params=record.params(), tags=tags)
    client.set_terminated(run.info.run_id)


def _add_sheets(client: "MlflowClient", run: "Run", record: Record) -> None:
    for name, step, image in sheets(record):
        client.log_image(run.info.run_id, image, key=name, step=step, synchronous=True)


def _adopt(
    client: "MlflowClient", experiment: str, record: Record, curves: dict[int, Points]
) -> "tuple[Run, dict[int, Run]]":
    """Return an unfinished run of this record with its children, or a new one.

    Unfinished runs of the same plan with other curves are deleted: trainings of other modules or data that were given
    up.
    """
    adopted: tuple[Run, dict[int, Run]] | None = None
    for run in runs.unfinished(client, experiment, record.plan, record.digest):
        children = runs.children(client, run)
        pairs = [(run, record.summary()), *((child, curves.get(seed, {})) for seed, child in children.items())]
        if adopted is None and all(_agree(store.points(client, held), points) for held, points in pairs):
            adopted = run, children
        else:
            for held, _ in pairs:
                client.delete_run(held.info.run_id)
    return adopted or (runs.create(client, experiment, record.plan, record.digest, record.root), {})


def _agree(held: Points, points: Points) -> bool:
    return all(_same(value, points[point]) for point, value in held.items() if point in points)


def _same(held: float, value: float) -> bool:
    bounded = max(-store.MAX_FLOAT, min(value, store.MAX_FLOAT))
    return held in (value, bounded) or (math.isnan(held) and math.isnan(value))


def _complete(client: "MlflowClient", run: "Run", points: Points) -> None:
    held = store.points(client, run)
    store.write(client, run.info.run_id, {point: value for point, value in points.items() if point not in held})


def _note(digest: str) -> str:
    """Return what is the same as at the last sync if nothing changed; empty where only asking the store can tell."""
    file = store.database()
    if file is None or not file.exists():
        return ""
    stat = file.stat()
    return f"{store.uri()} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {digest}"


def _note_file() -> Path:
    return paths.scratch() / "tracking-synced"

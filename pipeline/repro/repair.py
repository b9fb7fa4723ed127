"""What `kill -9` of DVC leaves behind: two files that it overwrites in place, and locks of processes that are gone."""

import json
import re
from itertools import chain
from pathlib import Path

import psutil
import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid

from pipeline.runtime import files
from pipeline.runtime.errors import UserError


def refuse_conflicts(root: Path = Path()) -> None:
    """Make sure that git has left no conflict in a file of DVC's.

    Raises:
        UserError: If it has: with the way out.
    """
    for file in (root / "dvc.lock", root / "dvc.yaml"):
        if file.exists() and re.search(r"(?m)^(<{7} |>{7} )", file.read_text(errors="replace")):
            raise UserError(
                f"{file}: holds the conflict markers of a merge; `git checkout --ours {file}` or `--theirs` takes one"
                " side, then `make repro` computes what is missing."
            )


def repair(root: Path = Path()) -> list[str]:
    """Make half-written files of DVC readable again, drop locks that nobody holds, and return a sentence for each.

    Of `dvc.lock` all entries but the last, which was cut off, are kept. What is lost comes back from DVC's run cache:
    nothing is computed again. A file that is broken in another way is left to its owner. No DVC may be running.
    """
    said = []
    locks = root / ".dvc/tmp/rwlock"
    if locks.exists():
        said += _repair_locks(locks)
    record = root / "dvc.lock"
    if record.exists() and not is_record(text := record.read_text(errors="replace")):
        head, *entries = re.split(r"(?m)^(?=  \S)", text)
        kept = "".join([head, *entries[:-1]])
        if len(entries) < 2:
            record.unlink()
        elif is_record(kept):
            files.write(record, kept.encode())
        else:
            return said
        said.append(f"{record} was half-written when DVC was killed: {max(len(entries) - 1, 0)} entries kept")
    return said


def _repair_locks(file: Path) -> list[str]:
    try:
        held = json.loads(file.read_text())
        writers, readers = dict(held.get("write", {})), dict(held.get("read", {}))
        holders = [*writers.values(), *chain.from_iterable(readers.values())]
        processes = {int(one["pid"]) for one in holders}
    except (ValueError, TypeError, AttributeError, KeyError):
        file.unlink()
        return [f"{file} was half-written when DVC was killed: removed"]
    written = file.stat().st_mtime
    gone = {process for process in processes if not _is_alive(process, written)}
    if not gone:
        return []
    writers = {path: one for path, one in writers.items() if one["pid"] not in gone}
    readers = {path: [one for one in ones if one["pid"] not in gone] for path, ones in readers.items()}
    kept = {"write": writers, "read": {path: ones for path, ones in readers.items() if ones}}
    files.write(file, json.dumps(kept).encode())
    return [f"{file} had locks of {len(gone)} processes that are gone: removed"]


def _is_alive(process: int, since: float) -> bool:
    # DVC asks only whether the number is in use: also that of a zombie whose parent never waits for it, as in a
    # container without an init, and one that was reused since the lock was written.
    try:
        found = psutil.Process(process)
        return bool(found.status() != psutil.STATUS_ZOMBIE and found.create_time() <= since)
    except psutil.NoSuchProcess:
        return False


def is_record(text: str) -> bool:
    """Return whether a text is a `dvc.lock` by DVC's own schema."""
    try:
        COMPILED_LOCKFILE_SCHEMA(files.parsed(text))
    except (yaml.YAMLError, Invalid):
        return False
    return True

"""What `kill -9` of DVC in the middle of a write leaves behind: DVC overwrites these two files in place."""

import json
import re
from pathlib import Path

import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid


def mend(root: Path = Path()) -> list[str]:
    """Make half-written files of DVC readable again, and return a sentence for each.

    Of `dvc.lock` all entries but the last, which was cut off, are kept. What is lost comes back from DVC's run cache:
    nothing is computed again. A file that is broken in another way is left to its owner. No DVC may be at work.
    """
    said = []
    readers = root / ".dvc/tmp/rwlock"
    if readers.exists() and not _is_json(readers.read_text()):
        readers.unlink()
        said.append(f"{readers} was half-written when DVC was killed: removed")
    record = root / "dvc.lock"
    if record.exists() and not _is_record(text := record.read_text()):
        head, *entries = re.split(r"(?m)^(?=  \S)", text)
        kept = "".join([head, *entries[:-1]])
        if len(entries) < 2:
            record.unlink()
        elif _is_record(kept):
            record.write_text(kept)
        else:
            return said
        said.append(f"{record} was half-written when DVC was killed: {max(len(entries) - 1, 0)} entries kept")
    return said


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_record(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, Invalid):
        return False
    return True

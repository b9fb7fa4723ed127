"""The objects of DVC's cache that dvc.lock names, and whether they are whole.

DVC compares an object with its checksum when it takes it in, protects it from being written, and trusts it from then
on: what a full disk or a power cut leaves of it would pass for a result.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.repro.repair import is_record
from pipeline.runtime import files

Output = dict[str, Any]
"""An output as dvc.lock has it: `path`, `md5`, `size`."""


def recorded(lock: Path) -> list[Output]:
    """Return the outputs of all stages in a `dvc.lock`; none where it is absent or cannot be read."""
    text = lock.read_text(errors="replace") if lock.exists() else ""
    if not is_record(text):
        return []
    content = files.parsed(text)
    return [output for stage in content.get("stages", {}).values() for output in stage.get("outs", ())]


def place(cache: Path, md5: str) -> Path:
    """Return where a cache has the object with this checksum."""
    return cache / md5[:2] / md5[2:]


def damaged(cache: Path, output: Output, *, thoroughly: bool) -> list[Path]:
    """Return the objects that are not what an output consists of, and what lists them; of none that is whole or absent.

    Args:
        cache: Folder of the objects.
        output: The output; the object of a folder lists those of its files.
        thoroughly: Whether bytes are compared also where sizes are right.
    """
    whole = place(cache, output["md5"])
    if not whole.exists():
        return []
    parts = {whole: output["md5"]}
    if output["md5"].endswith(".dir"):
        if files.digest(whole, "md5") != output["md5"].removesuffix(".dir"):
            return [whole]
        parts = {place(cache, entry["md5"]): entry["md5"] for entry in json.loads(whole.read_text())}
    there = [part for part in parts if part.exists()]
    if not thoroughly and sum(part.stat().st_size for part in there) == output["size"]:
        return []
    odd = [part for part in there if files.digest(part, "md5") != parts[part]]
    return [whole, *odd] if odd or len(there) < len(parts) else []


def drop_damaged(cache: Path, root: Path = Path()) -> list[str]:
    """Remove damaged objects, so that DVC has them made again, and return a sentence for each output.

    Bytes are compared only of outputs that are not in the checkout, into which DVC is about to copy them.
    """
    said = []
    for output in recorded(root / "dvc.lock"):
        found = damaged(cache, output, thoroughly=not (root / output["path"]).exists())
        for file in set(found):
            file.unlink()
        if found:
            said.append(f"DVC's copy of {output['path']} was damaged: removed")
    return said

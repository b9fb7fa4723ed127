"""Files that are written as a whole or not at all."""

import os
from pathlib import Path


def write(path: Path, content: bytes | memoryview) -> None:
    """Write `content` to `path`; a kill or a power cut leaves the old file or the new one, never a part of it.

    Raises:
        OSError: If there is no space left, or the folder cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

"""Checksums of files and folders; `python -m pipeline.data.checksum PATH` prints the line for params.yaml."""

import hashlib
import os
import sys
from pathlib import Path

from pipeline.data.errors import DataError
from pipeline.runtime import files

LEFT_BEHIND = {"__macosx", "thumbs.db", "desktop.ini"}
"""What archives and file managers leave beside pictures without asking, in lower case; hidden as dot files are."""


def listing(folder: Path) -> list[Path]:
    """Return all files below a folder, relative to it, in the order of their bytes: what is checksummed and read.

    Links are followed. Hidden is, with all below it, what begins with a dot or is `LEFT_BEHIND`.

    Raises:
        DataError: If a link leads nowhere or into a folder that it lies in, or something is neither file nor folder.
    """
    return sorted((path.relative_to(folder) for path in _below(folder, {folder.resolve()})), key=os.fsencode)


def _below(folder: Path, around: set[Path]) -> list[Path]:
    files: list[Path] = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name.lower() in LEFT_BEHIND:
            continue
        if path.is_dir():
            if (place := path.resolve()) in around:
                raise DataError(f"{path}: a link to a folder that it lies in; remove it.")
            files += _below(path, around | {place})
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"{path}: a link that leads nowhere, or no file; remove it.")
    return files


def of(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's listing: what `sha256sum` prints for the files of `listing`.

    For a folder without `LEFT_BEHIND` files that is what the shell makes of it: `find -L . -type f -not -path '*/.*'
    -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`.

    Raises:
        DataError: If `listing` does.
    """
    if path.is_file():
        return files.digest(path)
    lines = (f"{files.digest(path / file)}  {file.as_posix()}\n" for file in listing(path))
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        sys.exit("usage: python -m pipeline.data.checksum PATH   (an existing file or folder)")
    try:
        print(f'sha256: "{of(Path(sys.argv[1]))}"')
    except DataError as error:
        sys.exit(f"error: {error}")

"""Checksums of files and folders; `python -m pipeline.data.checksum PATH` prints the line for params.yaml."""

import hashlib
import sys
from pathlib import Path


def of_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def of(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's listing: what `sha256sum` prints for all files under it.

    Files are listed by their path relative to the folder, in the order of those paths; hidden ones do not count:
    `find . -type f -not -path '*/.*' -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`.
    """
    if path.is_file():
        return of_file(path)
    names = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    shown = sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))
    listing = "".join(f"{of_file(path / name)}  {name}\n" for name in shown)
    return hashlib.sha256(listing.encode()).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        sys.exit("usage: python -m pipeline.data.checksum PATH   (an existing file or folder)")
    print(f'sha256: "{of(Path(sys.argv[1]))}"')

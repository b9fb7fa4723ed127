"""Official files, verified: from a local mirror in place, else downloaded into the scratch folder."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline.data.errors import DataError
from pipeline.data.registry import File
from pipeline.runtime import files
from pipeline.runtime.paths import scratch
from pipeline.runtime.progress import bar

TRIES = 3  # per address
PAUSE = 2.0  # seconds before the second try, twice as long before the third
TIMEOUT = (10.0, 60.0)  # seconds to connect, and without a byte
CHUNK = 1 << 18  # bytes


def fetch(folder: str, file: File) -> list[Path]:
    """Return an official file with its checksum verified; or its members, where those lie extracted in its place.

    The places are tried in this order: `DATA_MIRROR` where that is a folder, the folder of downloads, `DATA_MIRROR`
    where it is a URL prefix, the official address. A partial download is kept and resumed.

    Args:
        folder: The set's folder in a mirror.
        file: The file that is wanted.

    Returns:
        One path, or one path per member in their order.

    Raises:
        DataError: If the file cannot be had, is not the official one, or cannot be stored.
    """
    mirror, downloads = os.environ.get("DATA_MIRROR", ""), scratch() / "downloads"
    remote = "://" in mirror
    for place in [downloads] if remote or not mirror else [mirror_folder(mirror), downloads]:
        if found := _look(place / folder, file):
            return found
    target, reasons = downloads / folder, list[str]()
    prefix = f"{mirror.rstrip('/')}/{folder}"
    if remote:
        if _download(f"{prefix}/{file.name}", target, file, reasons):
            return [target / file.name]
        if file.members and all(_download(f"{prefix}/{each.name}", target, each, reasons) for each in file.members):
            return [target / each.name for each in file.members]
    if _download(file.url, target, file, reasons):
        return [target / file.name]
    raise DataError(
        "\n  ".join([f"{file.name} of data set {folder} cannot be downloaded:", *reasons])
        + "\nWhat has arrived is kept, and another run goes on from there. On a machine without network put the file at"
        f"\n{target / file.name}, or at {folder}/{file.name} of a folder or URL prefix that DATA_MIRROR names"
        f" ({f'it names {mirror}' if mirror else 'it is not set'})."
    )


def mirror_folder(mirror: str) -> Path:
    """Return the local mirror.

    Raises:
        DataError: If it is no absolute path of a folder.
    """
    path = Path(mirror)
    if not path.is_absolute() or not path.is_dir():
        raise DataError(
            f"DATA_MIRROR={mirror}: neither a URL prefix nor the absolute path of a folder; set it right or unset it."
        )
    return path


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn a full disk, a read-only folder and their like into a message that says what was being stored."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise DataError(
            f"{what}: {error.strerror or error}{where}. Repair that and rerun; nothing is left half-written."
        ) from error


def _look(place: Path, file: File) -> list[Path]:
    """Return the file in `place`, else its members if all are there, else nothing; what is there must be official."""
    for group in ([file], list(file.members)):
        paths = [place / each.name for each in group]
        if paths and all(path.is_file() for path in paths):
            for path, each in zip(paths, group, strict=True):
                if found := _wrong(path, each):
                    raise DataError(f"{path}: {found}. Delete it and rerun, or put the official file in its place.")
            return paths
    return []


def _wrong(path: Path, file: File) -> str:
    """Return nothing if the bytes at `path` are the official ones, else both checksums in words."""
    algorithm, expected = file.checksum.split(":")
    with disk_errors(str(path)):
        found = files.digest(path, algorithm)
    return (
        ""
        if found == expected
        else f"{algorithm} is {found}, that of the official file is {expected} ({path.stat().st_size:,} bytes)"
    )


def _download(url: str, folder: Path, file: File, reasons: list[str]) -> bool:
    """Download `url` to `folder`; return whether it could be reached, and say in `reasons` why not."""
    target = folder / file.name
    partial = target.with_name(target.name + ".partial")
    with disk_errors(f"{target} cannot be stored"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{partial}.lock"):
            if target.exists():  # another process has just fetched it
                return True
            resumed = partial.exists()
            if not _transfer(url, partial, reasons):
                return False
            found = _wrong(partial, file)
            if found and resumed:  # the beginning may be of another file
                partial.unlink()
                if not _transfer(url, partial, reasons):
                    return False
                found = _wrong(partial, file)
            if found:
                partial.unlink()
                raise DataError(
                    f"{url}: {found}. It has been deleted; if this happens again, get the file from elsewhere: {target}"
                )
            partial.replace(target)
    return True


def _transfer(url: str, partial: Path, reasons: list[str]) -> bool:
    """Append to `partial` until all of `url` is there; a broken connection is tried again and resumed."""
    import requests  # only here and below: a machine that has a mirror need not have it

    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * attempt)
        try:
            _append(url, partial)
            return True
        except requests.HTTPError as error:
            reason, final = (
                f"HTTP {error.response.status_code} {error.response.reason}",
                error.response.status_code < 500,
            )
        except requests.RequestException as error:
            reason, final = _first_cause(error), isinstance(error, ValueError)  # a malformed address is a ValueError
        if final:
            break
    reasons.append(f"{url}: {reason}")
    return False


def _append(url: str, partial: Path) -> None:
    import requests

    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # nothing after `start`: complete, or the checksum will tell
            return
        answer.raise_for_status()
        if answer.status_code != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # the server sends the file from its beginning
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        with partial.open("r+b" if start else "wb") as file, bar(total, partial.stem, "B") as progress:
            file.seek(start)
            progress.update(start)
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                progress.update(len(chunk))


def _first_cause(error: BaseException) -> str:
    """Return the innermost message of a chain of exceptions, `Name or service not known`, not the pool's history."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"

"""Members of tar archives, read one after the other into memory; nothing is ever extracted to disk."""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from pipeline.data.errors import DataError


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the wanted files of a tar archive, compressed or not, in its order.

    Raises:
        DataError: If the archive is damaged, or holds an absolute path, a path with `..`, a link or a device.
    """
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise DataError(
                        f"{path}: holds {member.name}, a path that leads out of the archive; it is not used."
                    )
                if not (member.isfile() or member.isdir()):
                    raise DataError(f"{path}: holds {member.name}, which is a link or a device; it is not used.")
                if member.isfile() and wanted(str(name)):
                    content = archive.extractfile(member)
                    assert content is not None  # a regular file
                    yield str(name), content.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError, TypeError) as error:  # TypeError: a gzip header cut short
        raise DataError(f"{path}: cannot be read as an archive ({error}); delete it and rerun.") from error

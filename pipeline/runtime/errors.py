"""Errors that are the user's to fix: shown as one sentence, without a traceback."""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.runtime.paths import scratch

NO_PLACE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR,
}  # fmt: skip
"""Errors of the file system that the user must fix."""

SHORT = r"\d+ requested and \d+ written"  # what numpy says of a full disk, without the system's number


class UserError(Exception):
    """What is wrong or missing outside of this repository: shown as one message without a traceback, exit status 1."""


@contextmanager
def told(prefix: str = "error: ") -> Iterator[None]:
    """End the process with a sentence where what is raised is the user's to fix.

    Raises:
        SystemExit: With the sentence, after `prefix`.
    """
    try:
        yield
    except UserError as error:
        sys.exit(f"{prefix}{error}")
    except OSError as error:
        short = re.search(SHORT, str(error))
        if error.errno not in NO_PLACE and not short:
            raise
        reason = os.strerror(errno.ENOSPC) if short else error.strerror
        where = error.filename or scratch()
        sys.exit(f"error: {reason}: {where}; fix this and rerun: nothing is lost. `make doctor` may tell more.")

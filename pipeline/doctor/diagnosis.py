"""What the doctor says of one matter."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """One matter as it was found.

    Args:
        text: What there is; or what is wrong, and what to do about it.
        good: Whether nothing has to be done.
    """

    text: str
    good: bool = True


def wrong(text: str) -> Diagnosis:
    """Return the diagnosis of what is wrong, with what to do about it."""
    return Diagnosis(text, good=False)


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first few of many names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

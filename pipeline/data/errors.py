"""What can go wrong between a data set's source and its arrays."""

from pipeline.runtime.errors import UserError


class DataError(UserError):
    """A data set that cannot be had: says what happened, to which file, and what to do about it."""

"""The one kind of error that is the user's to fix."""


class UserError(Exception):
    """A mistake or a missing thing outside the code: printed as one message without a traceback, exit status 1."""

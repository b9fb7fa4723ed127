"""The one kind of error that is the user's to fix."""


class UserError(Exception):
    """What is wrong or missing outside of this repository: shown as one message without a traceback, exit status 1."""

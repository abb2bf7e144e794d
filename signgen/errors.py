"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake in what the user gave: a file, an option, a configuration.

    The message is one line that says what is wrong, where, and what to do. The command line prints it without
    a traceback and exits with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))

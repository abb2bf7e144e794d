"""The one exception that means: the user can mend this."""

LONGEST = 300  # characters of an error: a line that people read


class UserError(Exception):
    """A mistake in what the user gave: a file, an option, a configuration.

    The message is one line that says what is wrong, where, and what to do. The command line prints it without
    a traceback and exits with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(message: object) -> str:
    """A message as one line of at most 300 characters; its kind where an exception has none.

    It may quote a file of somebody else's: what a terminal would obey instead of showing is escaped, and what is too
    much is cut out of the middle, because a message begins with where and ends with what to do.
    """
    text = printable(" ".join(str(message).split()) or type(message).__name__)
    half = (LONGEST - 5) // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


def printable(text: str) -> str:
    """Text without what a terminal would obey, or could not show."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)

"""The exception that means: the user can mend this; and the warning that means: look at this."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

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


class InputWarning(UserWarning):
    """What was made of input that is not as it should be.

    The message is one line. The command line prints it on stderr and goes on.
    """


_subject: ContextVar[str] = ContextVar("subject", default="")


@contextmanager
def about(subject: str | Path) -> Iterator[None]:
    """Errors and warnings of the block begin with what they are about, a file in most cases."""
    token = _subject.set(f"{subject}: ")
    try:
        yield
    except UserError as error:
        raise UserError(f"{subject}: {error}") from error
    finally:
        _subject.reset(token)


def warn(message: str) -> None:
    """An `InputWarning` with this message."""
    warnings.warn(one_line(f"{_subject.get()}{message}"), InputWarning, stacklevel=3)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """For a script: a UserError inside becomes one line on stderr and exit status 2."""
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

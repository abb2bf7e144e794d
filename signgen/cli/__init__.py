"""The command line: `signgen VERB ...`.

Verbs are light to import: what is heavy (torch, diffusers, PyAV) is imported inside the verb that needs it,
so that `signgen --help` answers at once.
"""

import errno
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, NoReturn

import typer

from signgen import __version__
from signgen.cli import adapt, benchmark, coarse, config, data, demo, evaluate, export, models, poses, render, train, ui
from signgen.errors import InputWarning, UserError, one_line
from signgen.runtime.progress import showing, track

# Verb -> the extra with the packages that it needs beyond those of rendering.
EXTRAS = {
    "train": "train",
    "adapt": "train",
    "coarse": "train",
    "config": "train",
    "evaluate": "evaluate",
    "benchmark": "evaluate",
    "data": "evaluate",
    "export": "export",
    "ui": "ui",
}
MOST_WARNINGS = 20  # of a run
USER_ERROR, MACHINE_ERROR, INTERRUPTED, TERMINATED = 2, 1, 130, 143
FULL = (errno.ENOSPC, errno.EDQUOT)
SAID_WHEN_FULL = ("No space left on device", "PytorchStreamWriter failed writing")  # safetensors and torch have no code
NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO)  # what cannot be the name of a file of data

app = typer.Typer(
    help="Sign-language video from an image of a signer and a pose sequence.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("render")(render.render)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("coarse")(coarse.coarse)
app.command("adapt")(adapt.adapt)
app.command("evaluate")(evaluate.evaluate)
app.command("benchmark")(benchmark.benchmark)
app.command("export")(export.export)
app.command("ui")(ui.ui)
app.add_typer(poses.app, name="poses")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"signgen {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass  # main() reads --debug itself: it must know it even where parsing fails


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 done, 1 the machine failed (or signgen did), 2 the user can mend it, 130 Ctrl-C, 143 terminated.
    """
    args = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in args
    for library in () if debug else ("TRANSFORMERS", "DIFFUSERS"):  # which take note of it when they are imported
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    args = [arg for arg in args if arg != "--debug"] or ["--help"]
    try:
        with _terminable(), _warnings_as_lines(debug), showing(partial(track, unit="clips")):
            status = typer.main.get_command(app).main(args, prog_name="signgen", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        verb = next((arg for arg in args if not arg.startswith("-")), "")
        message, status = _explain(error, verb)
        print(one_line(f"signgen: {message}"), file=sys.stderr)
        return status


def _explain(error: Exception, verb: str) -> tuple[str, int]:
    """One line about an error of a verb, and the exit status that goes with it."""
    if isinstance(error, UserError):
        return str(error), USER_ERROR
    if isinstance(error, ModuleNotFoundError) and verb in EXTRAS and not str(error.name).startswith("signgen"):
        return f"{verb} needs the package {error.name}: pip install 'signgen[{EXTRAS[verb]}]'", USER_ERROR
    if isinstance(error, typer.TyperException):
        command = getattr(getattr(error, "ctx", None), "command_path", "signgen")
        message = " ".join(error.format_message().replace("Value error, ", "").split())
        return f"{message.rstrip('.')} (see {command} --help)", error.exit_code
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    if getattr(error, "errno", None) in FULL or any(said in message for said in SAID_WHEN_FULL):
        return f"the disk is full: {message}", MACHINE_ERROR
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return f"{error.filename}: {error.strerror}", USER_ERROR
    if isinstance(error, OSError) and error.errno in NO_NAME:
        return f"{error.filename}: {error.strerror}", USER_ERROR
    if _is_out_of_memory(error):
        return f"out of memory, try a smaller --batch-size: {message}", MACHINE_ERROR
    if isinstance(error, OSError):
        return message, MACHINE_ERROR
    return f"internal error, {type(error).__name__}: {message} (--debug shows where)", MACHINE_ERROR


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    # torch has a class for accelerators only: on a CPU the allocator raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


@contextmanager
def _terminable() -> Iterator[None]:
    """Unwind the stack when the process is told to end, so that no half-written file stays behind."""

    def terminate(*_: Any) -> NoReturn:
        raise SystemExit(TERMINATED)

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _warnings_as_lines(debug: bool) -> Iterator[None]:
    """Each `InputWarning` once, as one line on stderr, where errors go as well; others with `debug` alone."""
    said: set[str] = set()
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, InputWarning):
            if debug:
                others(message, category, *where, **more)
        elif str(message) not in said and len(said) < MOST_WARNINGS:
            said.add(str(message))
            more_left_out = " (further warnings are left out)" if len(said) == MOST_WARNINGS else ""
            print(f"signgen: warning: {message}{more_left_out}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = show
        yield

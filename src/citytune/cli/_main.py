"""Run the command line and turn whatever happens into one message and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence

import typer

from citytune._errors import CitytuneError
from citytune.cli._app import app
from citytune.cli._console import complain
from citytune.cli._words import for_terminal

DONE, OURS, YOURS, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done, a fault of ours, input that cannot be used, stopped by Ctrl-C."""
UsageError = typer.BadParameter.__mro__[1]
"""The base of what typer says about a wrong command line; not exported by typer itself."""
FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `citytune` with some arguments, by default those of the process; gives the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # Wherever it stands: it is an afterthought, typed after something went wrong.
    words = [word for word in words if word != "--debug"] or ["--help"]
    # Threads that wait by spinning make everything three times slower on a machine that is also
    # used for something else. Read when the library is loaded, so it must be said before.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "µ" is no reason to fail
    command = typer.main.get_command(app)
    with warnings.catch_warnings():
        _quiet_warnings(debug)
        try:
            code = command.main(words, prog_name="citytune", standalone_mode=False)
        except BaseException as error:  # noqa: BLE001 - the last place where anything can be caught
            return _answer(error, debug)
    if code == INTERRUPTED:
        complain("interrupted; nothing was left half-written")
    return code if isinstance(code, int) else DONE


def _answer(error: BaseException, debug: bool) -> int:
    """Say what went wrong, once, and whose fault it is."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else OURS
    if debug:
        traceback.print_exception(error)
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        complain("interrupted; nothing was left half-written")
        return INTERRUPTED
    if isinstance(error, UsageError):
        complain(_usage(error))
        return YOURS
    if isinstance(error, CitytuneError):
        complain(for_terminal(str(error)))
        return YOURS
    if said := _circumstance(error):
        complain(said)
        return YOURS
    complain(
        f"a fault of citytune itself, not of your file: {type(error).__name__}: {error}\n"
        "Please report it with the command you ran and what it prints with --debug added."
    )
    return OURS


def _usage(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "citytune"
    return f"{error.format_message()}\nSee `{where} --help`."  # type: ignore[attr-defined]


def _circumstance(error: BaseException) -> str:
    """A full disk, a lack of permission or of memory, in words; empty for anything else."""
    if isinstance(error, MemoryError):
        return "memory ran out; give fewer sensors, a shorter history or a coarser clock"
    for cause in _causes(error):
        number = cause.errno if isinstance(cause, OSError) else None
        where = _where(cause)
        # polars and safetensors report what the system said only as text.
        if number in FULL or f"os error {errno.ENOSPC}" in str(cause):
            return (
                f"the disk is full{where}; nothing was left half-written, and nothing that was "
                "there has changed; make room, or write to another disk"
            )
        if number in FORBIDDEN or f"os error {errno.EACCES}" in str(cause):
            return (
                f"no permission{where} ({os.strerror(number or errno.EACCES)}); choose a folder "
                "you may write to and a file you may read, or ask for permission"
            )
        if number == errno.ENAMETOOLONG:
            return f"the name is too long{where}; choose a shorter one"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _where(error: BaseException) -> str:
    name = getattr(error, "filename", None)
    return f" at {name}" if name else ""


def _quiet_warnings(debug: bool) -> None:
    """Show our own warnings as plain notes; those of other packages say nothing to a person."""
    if debug:
        return
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", module=r"citytune\b")
    warnings.showwarning = lambda message, *_, **__: complain(str(message), kind="Note")

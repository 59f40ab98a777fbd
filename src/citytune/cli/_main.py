"""Run the command line and turn whatever happens into one message and an exit code."""

from __future__ import annotations

import difflib
import errno
import io
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import typer

from citytune._errors import CitytuneError
from citytune._files import noting_what_is_written
from citytune._progress import VARIABLE as PROGRESS
from citytune.cli._app import app
from citytune.cli._console import be_quiet, complain

DONE, OURS, YOURS, INTERRUPTED, CUT_OFF, TERMINATED = 0, 1, 2, 130, 141, 143
"""Exit codes: done, a bug in citytune, input that cannot be used, stopped by Ctrl-C, nobody reads
any more (`| head`), by SIGTERM."""
UsageError = typer.BadParameter.__mro__[1]
"""The base of what typer says about a wrong command line; not exported by typer itself."""
_NOT_ONE_OF = re.compile(r"'([^']*)' is not one of (.+)")
FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
REASONS = {
    **dict.fromkeys(FULL, ("the disk is full", "make room, or write to another disk")),
    errno.EFBIG: (
        "a file would be larger than you may write here",
        "raise the limit (`ulimit -f`), or write to another disk",
    ),
}
"""Why nothing more can be written, and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `citytune` with some arguments, by default those of the process; gives the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # Wherever it stands: it is an afterthought, typed after something went wrong.
    words = [word for word in words if word != "--debug"] or ["--help"]
    # Threads that wait by spinning make everything three times slower on a machine that is also
    # used for something else. Read when the library is loaded, so it must be said before.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault(PROGRESS, "0")  # commands have bars of their own, workers none
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "µ" is no reason to fail
    be_quiet(False)
    with noting_what_is_written() as written, _stops_as_ctrl_c() as stops:
        try:
            code = _run(words, debug, written, stops)
        except KeyboardInterrupt as error:  # between two lines of it
            code = _answer(error, debug, written)
        except SystemExit as error:  # nobody reads what is said of an error
            code = _left(error)
    return TERMINATED if code == INTERRUPTED and signal.SIGTERM in stops.came else code


@dataclass
class _Stops:
    """Which signals to stop came; once all is done they no longer count."""

    came: list[int] = field(default_factory=list)
    over: bool = False
    interrupts: ClassVar[bool] = True
    """See `stopping_early`: what learns may be left where it is, and the command goes on."""

    def __call__(self, number: int, _frame: object) -> None:
        """Stop what is being done."""
        if not self.over:
            self.came.append(number)
            raise KeyboardInterrupt


def _run(words: list[str], debug: bool, written: Sequence[Path], stops: _Stops) -> int:
    command = typer.main.get_command(app)
    with warnings.catch_warnings():
        _quiet_warnings(debug)
        try:
            code = command.main(words, prog_name="citytune", standalone_mode=False)
            sys.stdout.flush()
            stops.over = True
        except BaseException as error:  # noqa: BLE001 - the last place where anything can be caught
            return _answer(error, debug, written)
    if code == INTERRUPTED:
        complain(f"interrupted; {_what_stands(written)}")
    return code if isinstance(code, int) else DONE


@contextmanager
def _stops_as_ctrl_c() -> Iterator[_Stops]:
    """Let SIGTERM end a command as Ctrl-C does, and neither once it is done."""
    stops = _Stops()
    if threading.current_thread() is not threading.main_thread():
        yield stops
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: how for number, how in before.items() if how not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, stops)
    try:
        yield stops
    finally:
        for number, how in before.items():
            signal.signal(number, how)


def _what_stands(written: Sequence[Path]) -> str:
    """What a person finds after a command that did not reach its end."""
    if not written:
        return "nothing was left half-written, and nothing that was there has changed"
    names = ", ".join(map(str, written))
    return f"{names} {'is' if len(written) == 1 else 'are'} new and whole, and nothing else changed"


def _answer(error: BaseException, debug: bool, written: Sequence[Path]) -> int:
    """Say what went wrong, once, and whose fault it is."""
    if isinstance(error, SystemExit | BrokenPipeError):
        return _left(error)
    if debug:
        traceback.print_exception(error)
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        complain(f"interrupted; {_what_stands(written)}")
        return INTERRUPTED
    if isinstance(error, UsageError):
        complain(_usage(error))
        return YOURS
    if isinstance(error, CitytuneError):
        complain(str(error))
        return YOURS
    if said := _circumstance(error, written):
        complain(said)
        return YOURS
    complain(
        "an internal error (a bug in citytune, not in your file): "
        f"{type(error).__name__}: {error}\n"
        "Please report it with the command you ran and what it prints with --debug added."
    )
    return OURS


def _left(error: SystemExit | BrokenPipeError) -> int:
    """The code of a command that left by itself; of one that nobody reads, that of other tools."""
    if any(isinstance(cause, BrokenPipeError) for cause in _causes(error)):
        with Path(os.devnull).open("w") as nowhere:  # for what Python still holds back
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return CUT_OFF
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else OURS


def _usage(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "citytune"
    said = error.format_message().replace("Value error, ", "")  # type: ignore[attr-defined]
    said += _near(said) + _meant(error)
    return f"{said}\nSee `{where} --help`."


def _meant(error: BaseException) -> str:
    """What an option that is missing is for: the first sentence of its help."""
    option = getattr(error, "param", None) if type(error).__name__ == "MissingParameter" else None
    said = (getattr(option, "help", None) or "").partition(". ")[0].rstrip(".")
    return f" {said}." if said else ""


def _near(said: str) -> str:
    """The nearest of the words that an option takes."""
    found = _NOT_ONE_OF.search(said)
    if found is None:
        return ""
    close = difflib.get_close_matches(found[1], re.findall(r"'([^']+)'", found[2]), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _circumstance(error: BaseException, written: Sequence[Path]) -> str:
    """A full disk, a lack of permission or of memory, in words; empty for anything else."""
    if isinstance(error, MemoryError):
        return "memory ran out; give fewer sensors, a shorter history or a coarser clock"
    for cause in _causes(error):
        number = cause.errno if isinstance(cause, OSError) else None
        where = _where(cause)
        # polars and safetensors report what the system said only as text.
        for reason, (what, remedy) in REASONS.items():
            if number == reason or f"os error {reason})" in str(cause):
                return f"{what}{where}; {_what_stands(written)}; {remedy}"
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

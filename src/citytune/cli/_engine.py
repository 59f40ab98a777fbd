"""The options of a job by groups of sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from citytune._errors import InputError
from citytune.cli._completion import completing
from citytune.cli._console import complain
from citytune.runs import SIZE

Engine = Annotated[
    str | None,
    typer.Option(
        metavar="ENGINE",
        autocompletion=completing("engine"),
        show_default=False,
        help="Take the sensors group by group, for more of them than fit into memory: local, ray "
        "(all cores, or the cluster that RAY_ADDRESS names) or ray://HOST:PORT.",
    ),
]
OfRun = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        autocompletion=completing("engine"),
        show_default=False,
        help="Of a run that was made with --engine: what does the groups now; local by default.",
    ),
]
SideBySide = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        autocompletion=completing("engine"),
        show_default=False,
        help="Try the models side by side: ray (all cores, or the cluster that RAY_ADDRESS names) "
        "or ray://HOST:PORT.",
    ),
]
Group = Annotated[
    int, typer.Option(metavar="N", help="With --engine: sensors that are taken at a time.")
]
USUAL = SIZE
FAILED = 2
"""Exit code if a part of the source could not be used, as for any input that cannot."""


def refuse_with_engine(**given: object) -> None:
    """Options that do not go with `--engine`, by name, with what was said."""
    if said := [name for name, value in given.items() if value]:
        option = f"--{said[0].replace('_', '-')}"
        raise InputError(f"{option} and --engine do not go together; leave one of them out")


def end(bad: Mapping[str, str]) -> None:
    """Exit with a fault if there is one, once the rest is done."""
    from citytune.runs.groups import said_of_bad

    if bad:
        complain(f"{said_of_bad(dict(bad))}. The rest is done")
        raise typer.Exit(FAILED)

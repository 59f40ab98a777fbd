"""One page for the runs of a config file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from citytune._errors import InputError
from citytune._files import new_file
from citytune._text import number
from citytune.runs._config import Planned
from citytune.runs._folder import REPORT
from citytune.runs._start import open_run

if TYPE_CHECKING:
    from citytune.reporting import RunShown

NAIVE = "naive-"


def write_overview(planned: Sequence[Planned], troubles: Mapping[str, str], path: Path) -> Path:
    """Write the page.

    Args:
        planned: The runs, in the order of the page.
        troubles: Name → why that run was not renewed.
        path: The file, which may be there.
    """
    from citytune.reporting import overview

    page = overview([_shown(one, troubles.get(one.name, ""), path) for one in planned])
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, overwrite=True) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def _shown(planned: Planned, trouble: str, path: Path) -> RunShown:
    from citytune.reporting import RunShown

    place = os.path.relpath(planned.out.resolve() / REPORT, path.resolve().parent)
    link = quote(Path(place).as_posix())
    try:
        run = open_run(planned.out)
        return RunShown(planned.name, link, run.forecast(), _trust(run.scores or {}), trouble)
    except (InputError, OSError) as error:
        return RunShown(planned.name, link, None, "", trouble or str(error))


def _trust(scores: Mapping[str, Any]) -> str:
    """How far to trust a run, from its scores."""
    from citytune.evaluation import compared

    models = scores.get("models", {})
    mae = models.get("tuned", {}).get("mae")
    rules = [one["mae"] for name, one in models.items() if name.startswith(NAIVE) and one["mae"]]
    if mae is None:
        return "It has not been tested yet."
    error = f"{number(mae)} {scores.get('unit', '')}".strip()
    against = f", {compared(1 - mae / min(rules), 'the best simple rule')}" if rules else ""
    return f"In the test period the mean error was {error}{against}."

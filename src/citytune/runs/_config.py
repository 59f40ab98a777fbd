"""`citytune.toml`: what `citytune tune` takes, said once, for one run or several.

    horizon = "24h"                 # for all runs
    country = "IT"

    [runs.no2]
    source = "air.csv"              # paths are as seen from the file
    target = "no2"
    alerts = ["no2>200"]

    [runs.pm25]
    source = "https://example.org/air.csv?key=${AIR_KEY}"
    target = "pm25"

Each is written to `runs/` and its name, unless `out` says otherwise.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from citytune._errors import InputError, UnknownName
from citytune._files import new_file
from citytune.runs._job import Job
from citytune.runs._made import HIDDEN, VARIABLE, kept_settings, place_of, settings_of
from citytune.runs._reading import Reading
from citytune.settings import Settings

OWN = ("source", "out", "alerts")
SETTINGS = tuple(one.name for one in fields(Settings))
READING = tuple(one.name for one in fields(Reading))
KNOWN = (*OWN, *SETTINGS, *READING)
RUNS = "runs"
OVERVIEW = "overview"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Planned:
    """A run of a config file."""

    name: str
    source: str
    out: Path
    job: Job


def read_config(path: str | Path) -> list[Planned]:
    """The runs of a config file, in its order.

    Raises:
        InputError: it is not there, no TOML, or holds what no run takes.
    """
    file = Path(path)
    facts = _facts(file)
    runs = facts.pop(RUNS, {})
    _check_names(file, facts, [*KNOWN, OVERVIEW, RUNS])
    facts.pop(OVERVIEW, None)
    if not isinstance(runs, Mapping) or not runs:
        raise InputError(f"{file} names no run; begin one with [runs.NAME] and its source")
    return [_planned(file, str(name), facts, own) for name, own in runs.items()]


def overview_of(path: str | Path) -> Path:
    """Where the page goes that shows all runs of a config file."""
    file = Path(path)
    said = _facts(file).get(OVERVIEW, f"{RUNS}/overview.html")
    if not isinstance(said, str) or not said.endswith(".html"):
        raise InputError(f'{file} says overview = {said!r}; it is a page, such as "overview.html"')
    return file.resolve().parent / said


def save_config(path: str | Path, source: str | Path, out: Path, job: Job) -> None:
    """Add a run to a config file, or put it in the place of the one of its name.

    What is said for all runs stays; comments in the file do not.
    """
    file = Path(path)
    facts = _facts(file) if file.exists() else {}
    here = file.resolve().parent
    found: dict[str, Any] = {"source": _seen_from(here, source)}
    found |= {"out": _seen_from(here, out), **kept_settings(job.settings)}
    said = {
        name: _plain(value, here if name == "covariates" else None)
        for name, value in job.reading.said().items()
    }
    found |= said | ({"alerts": [str(one) for one in job.alerts]} if job.alerts else {})
    facts[RUNS] = {**facts.get(RUNS, {}), out.resolve().name: found}
    with new_file(file, overwrite=True) as draft:
        draft.write_text(_toml(facts), encoding="utf-8")


def _facts(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"there is no config file {file}; `citytune tune … --save-config {file}` writes one"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} cannot be read as TOML: {error}") from error


def _planned(file: Path, name: str, shared: Mapping[str, Any], own: object) -> Planned:
    if not isinstance(own, Mapping):
        raise InputError(f"{file} says runs.{name} = {own!r}; a run is a table, [runs.{name}]")
    _check_names(file, own, KNOWN)
    said = {key: _expanded(file, value) for key, value in {**shared, **own}.items()}
    _warn_of_secrets(file, name, {**shared, **own})
    if not isinstance(said.get("source"), str):
        raise InputError(f'{file} lacks the source of {name!r}; add source = "FILE"')
    for alert in _listed(said.get("alerts", ())):
        if not isinstance(alert, str):
            raise InputError(f'{file} says alerts = {alert!r}; an alert is text, such as "no2>200"')
    if not isinstance(said.get("options", {}), Mapping | list):
        raise InputError(
            f"{file} says options = {said['options']!r}; options are a table, such as "
            "options = { head_days = 30 }"
        )
    here = file.resolve().parent
    settings = {key: said[key] for key in SETTINGS if key in said}
    if "horizon" not in settings:
        raise InputError(f'{file} lacks the horizon of {name!r}; add horizon = "24h"')
    reading = {key: _names(said[key]) for key in READING if key in said}
    if "covariates" in reading:
        reading["covariates"] = tuple(_file(here, one) for one in _listed(reading["covariates"]))
    job = Job(
        settings=settings_of(settings), reading=Reading(**reading),
        alerts=tuple(_listed(said.get("alerts", ()))),
    )  # fmt: skip
    out = here / str(said.get("out", f"{RUNS}/{name}"))
    return Planned(name, _place(here, said["source"]), out, job)


def _check_names(file: Path, given: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> None:
    for name in given:
        if name not in known:
            raise UnknownName(f"key of {file}", name, known)


def _expanded(file: Path, value: Any) -> Any:
    """With ${NAME} replaced by what the environment says."""
    from citytune.readers import is_database

    if isinstance(value, list):
        return [_expanded(file, one) for one in value]
    if not isinstance(value, str) or is_database(value):  # whose reader looks variables up itself
        return value
    for name in VARIABLE.findall(value):
        if name not in os.environ:
            raise InputError(
                f"{file} takes ${{{name}}} from the environment, where it is not set; set it, or "
                "write the value into the file"
            )
    return VARIABLE.sub(lambda found: os.environ[found[1]], value)


def _warn_of_secrets(file: Path, name: str, said: Mapping[str, Any]) -> None:
    for key in ("source", "covariates"):
        if any(HIDDEN in str(place_of(one)) for one in _listed(said.get(key, ""))):
            warnings.warn(
                f"{file} may hold a secret in plain text, in the {key} of {name!r}; write "
                "${NAME} there, and set NAME in the environment",
                stacklevel=4,
            )


def _place(here: Path, source: str) -> str:
    return source if "://" in source else str(here / source)


def _file(here: Path, name: str) -> str:
    """A covariate that is a file, as seen from the config."""
    return str(here / name) if (here / name).is_file() else name


def _names(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _seen_from(here: Path, place: str | os.PathLike[str]) -> str:
    """A path relative to a folder, if it lies in it; an address without what may be secret."""
    from citytune.readers import as_given, is_address

    given = as_given(place)
    if is_address(given):
        return str(place_of(given))
    path = Path(given).resolve()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _plain(value: Any, here: Path | None) -> Any:
    """As TOML has it; files and addresses as seen from a folder, where they may stand."""
    from citytune.readers import as_given, is_address

    if isinstance(value, Mapping):
        return {column: list(cells) for column, cells in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, here) for one in value]
    if here is None or not isinstance(value, str | os.PathLike):
        return value
    place = as_given(value)
    return _seen_from(here, place) if is_address(place) or Path(place).is_file() else str(place)


def _toml(facts: Mapping[str, Any]) -> str:
    """As TOML, what is said for all runs first."""
    lines = [f"{name} = {_value(value)}" for name, value in facts.items() if name != RUNS]
    for name, own in facts.get(RUNS, {}).items():
        lines += ["", f"[{RUNS}.{name if _BARE.fullmatch(name) else json.dumps(name)}]"]
        lines += [f"{key} = {_value(value)}" for key, value in own.items()]
    return "\n".join(lines).strip() + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = (f"{json.dumps(str(key))} = {_value(one)}" for key, one in value.items())
        return f"{{ {', '.join(inner)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and truth values are alike

"""Say in words what was read, chosen, found and written."""

from __future__ import annotations

import ast
import functools
import math
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from citytune._text import counted, name_options, percent

if TYPE_CHECKING:
    from typer import Typer

    from citytune.evaluation import Scores
    from citytune.frame import SensorFrame

_LIST = re.compile(r"(?<==)\[[^\[\]]*\]")
_APPS: list[Typer] = []
_FLAG = re.compile(r"\b([a-z_]+)=True\b")


def about(frame: SensorFrame) -> str:
    """What was read, in one line."""
    import numpy as np

    rows, last = len(frame), len(frame) - 1
    missing = float(np.isnan(frame.values).mean())
    return (
        f"{frame.source}: {frame.quantity}, {counted(len(frame.sensors), 'sensor')}, "
        f"{counted(rows, 'row')} of {frame.clock.freq} from {frame.clock.text(0)} to "
        f"{frame.clock.text(last)}, {percent(missing)} missing"
    )


def unnamed(frame: SensorFrame) -> str:
    """How to say what is measured, where neither a name nor a unit is known; otherwise empty."""
    from citytune.frame import UNNAMED

    if frame.quantity.name != UNNAMED or frame.quantity.unit:
        return ""
    return (
        "What is measured is not known; say it, such as --quantity traffic_volume --unit veh/h, "
        "and tables and the report have its name and unit."
    )


def findings(frame: SensorFrame) -> str:
    """How much was found wrong, in a few words; empty if nothing."""
    found = sum(fault.severity == "warning" for fault in frame.faults)
    return f"{counted(found, 'warning')}, listed by `citytune check`" if found else ""


def comparison(scores: Scores) -> list[str]:
    """How good it is: against a simple rule, against the pretrained model, and its coverage."""
    from citytune.evaluation import describe_coverage

    found = [*filter(None, [scores.sentence(), scores.zero_shot_sentence()])]
    coverage = scores.models["tuned"]["coverage_90"]
    if math.isfinite(coverage):
        found.append(describe_coverage(coverage))
    return found


def rare(scores: Scores, *, alerts: bool = True) -> list[str]:
    """How well rare values and alerts were forecast: sentences and small tables, line by line."""
    lines = scores.rare_lines(alerts=alerts)
    found = filter(None, [scores.rare_sentence(), scores.price_sentence()])
    return [*found, *lines, ""] if lines else []


def change(scores: Scores, rival: str | None) -> str:
    """The tuned model's error against another's, for a table: "−31 %"."""
    if rival is None or rival not in scores.models:
        return "–"
    return percent(-scores.skill(rival), signed=True)


def not_at_hand(names: Sequence[str]) -> str:
    """Which backbones were not tried, in one line; empty if all were."""
    if not names:
        return ""
    more = f"Not installed: {counted(len(names), 'further pretrained model')}"
    return f"{more}; `citytune models` shows how to get them."


def for_terminal(text: str) -> str:
    """Name options as one types them here, rather than as Python's arguments.

    >>> for_terminal("use time= if this is wrong, or add missing=-1"), for_terminal("outtime=3")
    ('use --time COLUMN if this is wrong, or add --missing -1', 'outtime=3')
    >>> for_terminal("choose another out=, or pass overwrite=True; say covariates=['sun', 'rain']")
    'choose another --out FOLDER, or pass --overwrite; say --covariates sun,rain'
    >>> for_terminal("no sensor 'host=db1,sensor=A'")
    "no sensor 'host=db1,sensor=A'"
    """
    if "=" not in text:
        return text
    known = _options()
    text = _FLAG.sub(lambda found: known[found[1]].typed if found[1] in known else found[0], text)
    text = _LIST.sub(_listed, text)
    return name_options(text, lambda name, value: known[name].with_value(value), known)


class _Typed(NamedTuple):
    """How an option is typed."""

    typed: str
    metavar: str

    def with_value(self, follows: bool) -> str:
        """The option, and what stands for its value if none follows."""
        return f"{self.typed} " if follows else f"{self.typed} {self.metavar}".rstrip()


@functools.cache
def _options() -> dict[str, _Typed]:
    """Argument of Python → its option, of all commands."""
    import typer

    found: dict[str, _Typed] = {}
    for app in _APPS:
        for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
            for one in command.params:
                if one.param_type_name == "option" and one.name:
                    typed = max(one.opts, key=len)
                    found.setdefault(one.name, _Typed(typed, one.metavar or ""))
    return found


def speak_of(app: Typer) -> None:
    """Let messages name the options of an app's commands as they are typed."""
    _APPS.append(app)
    _options.cache_clear()


def _listed(found: re.Match[str]) -> str:
    """A list of names as it is typed: separated by commas."""
    try:
        names = [str(name) for name in ast.literal_eval(found[0])]
    except (ValueError, SyntaxError):
        return found[0]
    said = ",".join(f'"{name}"' if "," in name else name for name in names)
    return shlex.quote(said)

"""Turn the page's contents into HTML: template, style, script and chart library in one text."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from jinja2 import BaseLoader, Environment


_MARKUP = re.compile(r"(<(script|style|title)\b.*?</\2>|<[^>]+>)", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?")
_SPAN = r'<span class="time">\g<0></span>'
LIBRARY = "plotly-basic.min.js.gz"
"""plotly.js 4.1.1, as npm's plotly.js-basic-dist-min has it; MIT, see NOTICE."""


def render(contents: Mapping[str, Any], template: str = "report.html") -> str:
    """Fill a template; it escapes every text but those of ours that it calls safe."""
    from citytune.reporting._charts import DARK

    page = (
        _environment()
        .get_template(template)
        .render(
            contents,
            style=style_sheet(),
            script=_template("report.js"),
            library=_library(),
            dark=_json(json.dumps(DARK)),
        )
    )
    return _whole_dates(page)


def style_sheet() -> str:
    """How every page looks, as CSS."""
    return _template("report.css")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Where templates are found; each is compiled once."""
    from jinja2 import FunctionLoader

    return make_environment(FunctionLoader(_template))


def make_environment(loader: BaseLoader, *extensions: str) -> Environment:
    """An environment for templates that use the macros of the report."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        loader=loader,
        extensions=extensions,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["chart"] = _chart
    environment.filters["packed"] = _packed
    return environment


def _whole_dates(page: str) -> str:
    """No line breaks inside a date: "2024-03-18 14:00" in text, not in tags, scripts or titles."""
    found, last = [], 0
    for markup in _MARKUP.finditer(page):
        found += [_DATE.sub(_SPAN, page[last : markup.start()]), markup[0]]
        last = markup.end()
    return "".join([*found, page[last:]])


def _unbroken(value: Any) -> Any:
    """No line of a text breaks between a number and its per cent sign; markup stays as it is."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def _template(name: str) -> str:
    return (files("citytune.reporting") / "templates" / name).read_text(encoding="utf-8")


def _chart(figure: go.Figure) -> str:
    from citytune.reporting._charts import dress

    return _squeezed(str(dress(figure).to_json()))


def _packed(data: Mapping[str, Any]) -> str:
    """JSON, packed, for the script to unpack when it is needed."""
    return _squeezed(json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def _squeezed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _json(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@lru_cache(maxsize=1)
def _library() -> str:
    """Plotly's basic bundle (lines, bars), packed: half a megabyte, where the full one is two."""
    packed = (files("citytune.reporting") / "templates" / LIBRARY).read_bytes()
    return base64.b64encode(packed).decode()

"""Turn the page's contents into HTML: template, style, script and chart library in one text."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from citytune.reporting._charts import DARK, dress

if TYPE_CHECKING:
    import plotly.graph_objects as go


LIBRARY = "plotly-basic.min.js.gz"
"""plotly.js 4.1.1, as npm's plotly.js-basic-dist-min has it; MIT, see NOTICE."""


def render(contents: Mapping[str, Any]) -> str:
    """Fill the template; it escapes every text but those of ours that it calls safe."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["chart"] = _chart
    environment.filters["packed"] = _packed
    return environment.get_template("report.html").render(
        contents,
        style=_template("report.css"),
        script=_template("report.js"),
        library=_library(),
        dark=_json(json.dumps(DARK)),
    )


def _unbroken(value: Any) -> Any:
    """No line of a text breaks between a number and its per cent sign; markup stays as it is."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def _template(name: str) -> str:
    return (files("citytune.reporting") / "templates" / name).read_text(encoding="utf-8")


def _chart(figure: go.Figure) -> str:
    return _json(str(dress(figure).to_json()))


def _packed(data: Mapping[str, Any]) -> str:
    """JSON, packed, for the script to unpack when it is needed."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
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

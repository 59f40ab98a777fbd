"""A plotly figure that works offline and offers no way to send its data anywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from citytune._errors import InputError

OFFLINE = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "modeBarButtonsToRemove": ["sendChartToCloud"],
}
"""Without it, plotly puts a button on each chart that uploads the city's data to a cloud."""


class Chart(go.Figure):  # type: ignore[misc]
    """A figure whose every page carries plotly's script and has no control that leads out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # For programs that draw the figure with settings of their own.
        self.layout.modebar.remove = OFFLINE["modeBarButtonsToRemove"]

    def to_html(self, config: dict[str, Any] | None = None, *args: Any, **kwargs: Any) -> str:
        """The figure as HTML; arguments as plotly's."""
        return str(super().to_html(_offline(config), *args, **kwargs))

    def write_html(
        self, file: Any, config: dict[str, Any] | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Write the figure to an HTML file; arguments as plotly's."""
        super().write_html(file, _offline(config), *args, **kwargs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as .png, .svg or .pdf without a browser, or as .html.

        What is no HTML is drawn by matplotlib, the extra `plot`: plotly's own way needs Chrome.

        Raises:
            InputError: another ending, no such folder, matplotlib is not installed, or the figure
                holds something that is drawn in a browser only.
        """
        from citytune.pictures._static import save

        folder = Path(path).resolve().parent
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}; make it, or choose another")
        if os.fspath(path).lower().endswith((".html", ".htm")):
            self.write_html(path)
        else:
            save(self, path)

    def show(self, *args: Any, config: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Show the figure; arguments as plotly's."""
        super().show(*args, config=_offline(config), **kwargs)

    _ipython_display_ = None  # so that notebooks take the HTML below, which needs no network

    def _repr_mimebundle_(self, *_args: Any, **_kwargs: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        return self.to_html(full_html=False)


def _offline(config: dict[str, Any] | None) -> dict[str, Any]:
    return OFFLINE | (config or {})

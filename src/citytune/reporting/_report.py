"""The report: what to know about a tuned model, on one page."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from citytune.reporting._html import render
from citytune.reporting._material import Material
from citytune.reporting.sections import contents

if TYPE_CHECKING:
    from citytune.evaluation import Scores
    from citytune.forecasting import Forecast, TunedModel
    from citytune.frame import SensorFrame


class Report:
    """One self-contained page that opens without the internet.

    The same inputs give the same page.

    Args:
        frame: What was read, with its faults and places.
        scores: None if the history is too short for a test period; the page then says so.
        advice: A recommendation; its text is shown as it is.
        title: The page's title; made from the quantity if not given.
        made: The day the page was made; today if not given.

    Example:
        >>> Report(frame, model, scores, forecast).write("report.html")  # doctest: +SKIP
        PosixPath('report.html')
    """

    def __init__(
        self,
        frame: SensorFrame,
        model: TunedModel,
        scores: Scores | None,
        forecast: Forecast,
        *,
        advice: object | None = None,
        title: str | None = None,
        made: dt.date | None = None,
    ) -> None:
        self._made = made or dt.datetime.now().astimezone().date()
        self._material = Material(frame, model, scores, forecast, advice, title)

    def html(self) -> str:
        """The whole page."""
        made = f"Made with citytune {version('citytune')} on {self._made}."
        return render(contents(self._material) | {"made": made})

    def write(self, path: str | Path) -> Path:
        """Write the page to a file and return its path."""
        target = Path(path)
        target.write_text(self.html(), encoding="utf-8")
        return target

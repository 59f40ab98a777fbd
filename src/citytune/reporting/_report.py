"""The report: what to know about a tuned model, on one page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from citytune.reporting._html import render

if TYPE_CHECKING:
    import polars as pl

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
        record: Earlier forecasts and what came, as `Run.record` gives them.
        unusual: What is no longer as it was, such as a broken sensor: a sentence each.

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
        record: pl.DataFrame | None = None,
        unusual: Sequence[str] = (),
    ) -> None:
        from citytune.reporting._material import Material

        self._made = made or dt.datetime.now().astimezone().date()
        self._material = Material(
            frame, model, scores, forecast, advice, title, record, tuple(unusual)
        )

    def html(self) -> str:
        """The whole page."""
        from citytune.reporting.sections import contents

        made = f"Made with citytune {version('citytune')} on {self._made}."
        return render(contents(self._material) | {"made": made})

    def write(self, path: str | Path) -> Path:
        """Write the page to a file and return its path."""
        target = Path(path)
        target.write_text(self.html(), encoding="utf-8")
        return target

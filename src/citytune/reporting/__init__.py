"""Show a person what was read, what was fitted and how far to trust it: one HTML file."""

from citytune.reporting._html import make_environment, render, style_sheet
from citytune.reporting._overview import RunShown, overview
from citytune.reporting._report import Report
from citytune.reporting._spark import spark
from citytune.reporting._words import for_page

__all__ = [
    "Report",
    "RunShown",
    "for_page",
    "make_environment",
    "overview",
    "render",
    "spark",
    "style_sheet",
]

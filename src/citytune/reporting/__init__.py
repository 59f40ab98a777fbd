"""Show a person what was read, what was fitted and how far to trust it: one HTML file."""

from citytune.reporting._report import Report

__all__ = ["Report"]

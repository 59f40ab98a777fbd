"""The command `citytune`, for people at a terminal and, with --json, for programs."""

from citytune.cli._main import main

__all__ = ["main"]

"""Write the command reference from the commands themselves.

Run `python -m citytune.cli._reference docs/cli.md`; a test keeps the page and the commands equal.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from citytune.cli._app import app
from citytune.cli._reading import PANEL

HEAD = """\
# The command line

Written from the commands' own `--help` by `make docs`; change it there.
"""
HEADINGS = ("Arguments", "Options")
READING = "How a file is read"


def reference() -> str:
    """The whole page, as Markdown."""
    command: Any = typer.main.get_command(app)
    parts = [HEAD, *_section("citytune", command, "citytune [--version] [--debug] COMMAND …")]
    reading: dict[str, Any] = {}
    for name, one in command.commands.items():
        arguments = [_argument(p) for p in one.params if _is_argument(p)]
        usage = " ".join([f"citytune {name}", *arguments, "[OPTIONS]"])
        parts += _section(f"citytune {name}", one, usage)
        reading |= {p.name: p for p in one.params if _panel(p) == PANEL}
    parts += [f"## {READING}\n\nEvery command that reads a file takes these.\n"]
    return "\n".join([*parts, _table(list(reading.values()))])


def _section(title: str, command: Any, usage: str) -> Iterator[str]:
    yield f"## {title}\n\n`{usage}`\n\n{inspect.cleandoc(command.help or '')}\n"
    if command.epilog:
        yield f"{command.epilog}\n"
    own = {heading: [p for p in command.params if _panel(p) == heading] for heading in HEADINGS}
    for heading, rows in own.items():
        if rows:
            yield f"**{heading}**\n\n{_table(rows)}"
    if any(_panel(one) == PANEL for one in command.params):
        yield f"And those of [{READING.lower()}](#{READING.lower().replace(' ', '-')}).\n"


def _panel(one: Any) -> str:
    """The heading an argument or option stands under; none for --help."""
    if one.name == "help":
        return ""
    return "Arguments" if _is_argument(one) else one.rich_help_panel or "Options"


def _table(rows: list[Any]) -> str:
    return "\n".join(["| | |", "|---|---|", *map(_row, rows), ""])


def _row(one: Any) -> str:
    if _is_argument(one):
        return f"| `{_argument(one)}` | {_cell(one.help)} |"
    flag = "/".join(one.opts)
    value = "" if one.is_flag else f" {one.metavar or 'NUMBER'}"
    extra = " **Required.**" if one.required else _default(one)
    return f"| `{flag}{value}` | {_cell(one.help)}{extra} |"


def _argument(one: Any) -> str:
    """Its name, in brackets where it may be left out."""
    name = str(one.metavar or one.name.upper())
    return name if one.required else f"[{name}]"


def _default(one: Any) -> str:
    if one.is_flag or one.default is None or not one.show_default:
        return ""
    return f" Default: `{one.default}`."


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def _is_argument(one: Any) -> bool:
    return bool(one.param_type_name == "argument")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(reference(), encoding="utf-8")

"""The options that say what matters: what to be warned of, and which rare values count more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

Alerts = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="TEXT",
        show_default=False,
        help="What to be warned of, and be told how well: 'pm2.5>150', '<30' or 'top 5%' (of each "
        "sensor's history); quote it, and repeat it for several. Without it, 'top 5%'.",
    ),
]


def check_alerts(wanted: Sequence[str]) -> None:
    """Refuse what cannot be read as an alert, before a file is read."""
    from citytune.evaluation import Alert

    for text in wanted:
        Alert.parse(text)

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


Rares = Annotated[
    list[str] | None,
    typer.Option(
        "--rare",
        metavar="TEXT",
        show_default=False,
        help="Values to treat fairly though they are rare: 'density' (where a sensor's values are "
        "sparse), 'pm2.5>150', 'top 5%' or '7-9h,16-18h' (local hours); may be given again. The "
        "forecast is moved toward them, at a price in usual hours that is shown.",
    ),
]


def check_alerts(wanted: Sequence[str]) -> None:
    """Refuse what cannot be read as an alert, before a file is read."""
    from citytune.evaluation import Alert

    for text in wanted:
        Alert.parse(text)


def check_rare(wanted: Sequence[str]) -> None:
    """Refuse what cannot be read as rare values, before a file is read."""
    if wanted:
        from citytune.windows import Rare

        Rare.parse(*wanted)

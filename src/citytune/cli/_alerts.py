"""The option that says what to be warned of."""

from __future__ import annotations

from typing import Annotated

import typer

Alerts = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="TEXT",
        show_default=False,
        help="What to be warned of: 'pm2.5>150', '<30' or 'top 5%' (of each sensor's history); "
        "quote it, and repeat it for several. You get its chance, and how right warnings were.",
    ),
]

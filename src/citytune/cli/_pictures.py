"""`citytune tune-pictures` and `citytune count`: from a city's cameras to readings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from citytune._errors import InputError
from citytune._files import check_file
from citytune._text import capital, counted
from citytune.cli._console import Quiet, note, say, say_json, stages
from citytune.cli._reading import Json

Place = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        show_default=False,
        help="Column of the camera; of a folder or of a still at an address, the camera's name.",
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(metavar="ZONE", show_default=False, help="IANA zone of the cameras."),
]


def tune_pictures(
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURES",
            show_default=False,
            help="Table with a column of paths or bytes of pictures, or a folder of pictures.",
        ),
    ],
    *,
    target: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            show_default=False,
            help='Column of what is to be learnt, or "folder" for the folder a picture is in.',
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="RUN", show_default=False, help="Folder to write; made anew.")
    ],
    backbone: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="efficientnet-lite0, resnet50, a name of keras.applications, or a .keras file.",
        ),
    ] = "efficientnet-lite0",
    strategy: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="head (exact), head-sgd (100 epochs), last-blocks or full; the last two take "
            "minutes to hours.",
        ),
    ] = "head",
    kind: Annotated[
        str, typer.Option(metavar="NAME", help="Of labels: count, share, value or class.")
    ] = "auto",
    link: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How counts are learnt: identity (squared errors), log (those of log(1 + count)) "
            "or poisson (the Poisson deviance).",
        ),
    ] = "identity",
    picture: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", show_default=False, help="Column of the pictures."),
    ] = None,
    place: Place = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", show_default=False, help="Column of the times.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            show_default=False,
            help="Column of what is tested together, such as a clip; a camera's day by default.",
        ),
    ] = None,
    timezone: Timezone = None,
    pixels: Annotated[
        int | None,
        typer.Option(metavar="N", show_default="224", help="Side that pictures are resized to."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run that is there.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Learn to read pictures: how many vehicles are on them, how full, jam or free.

    A network that was pretrained on photographs sees each picture once; a new last layer is found
    exactly. Groups of pictures (a clip, or a camera's day) are left out one after the other, to say
    how good it is against the mean and the camera's hour mean. RUN holds `report.html`,
    `scores.json` and `model/`. Needs `pip install 'citytune[vision]'`.

    ```
    citytune tune-pictures labels.csv --target vehicles --out runs/camera
    citytune tune-pictures stills --target folder --out runs/jams
    citytune count stills --model runs/camera --out flow.csv
    ```
    """
    from citytune.vision import read_pictures, summary, tune_vision, write_run

    if out.exists() and not overwrite:
        raise InputError(f"{out} already exists; choose another out=, or pass overwrite=True")
    with stages() as progress:
        frame = read_pictures(
            pictures, target=target, picture=picture, place=place, time=time, group=group,
            timezone=timezone,
        )  # fmt: skip
        model = tune_vision(
            frame, backbone=backbone, strategy=strategy, kind=kind, link=link,
            pixels=pixels, progress=progress,
        )  # fmt: skip
        write_run(model, frame, out, overwrite=overwrite)
    if json:
        say_json({"run": str(out), **summary(model)})
        return
    say(f"{frame!r}"[13:-1])
    for sentence in model.sentences():
        say(sentence)
    say(f"Written to {out}: report.html, scores.json and model")


def count(
    pictures: Annotated[
        str,
        typer.Argument(
            metavar="PICTURES",
            show_default=False,
            help="Folder or table of pictures, or the address of one still.",
        ),
    ],
    *,
    model: Annotated[
        Path,
        typer.Option(
            metavar="RUN", show_default=False, help="Folder that `citytune tune-pictures` wrote."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="CSV", show_default=False, help="File to write.")
    ] = Path("flow.csv"),
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Look again and again, and append what is new, until Ctrl-C: of a folder that "
            "grows, or of a still that changes.",
        ),
    ] = False,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="With --watch: between two looks.")
    ] = 60.0,
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, show_default=False, help="With --watch: stop after N looks."
        ),
    ] = None,
    place: Place = None,
    timezone: Timezone = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Read pictures with a model that `citytune tune-pictures` made, into a table for `tune`.

    One row for each picture: sensor (the camera), time, the answer, and its quantiles q05, q50 and
    q95; of classes the chance of each. Times are read from the names of the files, or from what
    the cameras wrote into them. Pictures that are broken are left out and named.

    ```
    citytune count stills --model runs/camera --out flow.csv
    citytune tune flow.csv --target vehicles --horizon 24 --out runs/flow
    ```
    """
    from citytune import vision

    opened = vision.load_vision(model)
    if watch:
        if gated := opened.gated():
            note(gated.rstrip("."))
        for done in vision.watch(
            pictures, opened, out, interval=interval, rounds=rounds, place=place, timezone=timezone
        ):
            for sentence in done.notes:
                note(sentence)
            if done.readings:
                say(f"{counted(done.readings, 'reading')} appended to {out}")
        return
    if interval != 60.0 or rounds is not None:
        raise InputError("--interval and --rounds are for --watch; add it, or leave them out")
    check_file(out, overwrite)
    found = vision.count(pictures, opened, place=place, timezone=timezone)
    for sentence in found.notes:
        note(capital(sentence))
    found.write_csv(out, overwrite=overwrite)
    say(f"{counted(len(found), 'reading')} written to {out}")

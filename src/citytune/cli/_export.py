"""`citytune export`: take a tuned model to machines that have neither citytune nor torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from citytune._files import check_file
from citytune.cli._console import Quiet, say
from citytune.cli._forecast import Run
from citytune.runs import open_run


def export(
    run: Run,
    *,
    onnx: Annotated[
        Path, typer.Option("--onnx", metavar="FILE", show_default=False, help="File to write.")
    ],
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Weights in 8 bits: smaller, and a little less exact."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a tuned model as one ONNX file, with which `citytune-edge` forecasts.

    The file holds everything a forecast needs: network, experts, mixture and intervals.
    `citytune-edge` is a single file, citytune_edge.py, and needs only NumPy and ONNX Runtime. A
    model with a part that ONNX cannot hold, such as one that needs a weather forecast, is refused.
    Exporting takes a few minutes and needs the extra `onnx`.

    ```
    citytune export runs/loops --onnx loops.onnx
    citytune-edge loops.onnx loops-until-today.csv --out forecast.csv
    ```
    """
    check_file(onnx, overwrite)
    model = open_run(run).model
    written = model.export_onnx(onnx, int8=int8, overwrite=overwrite)
    size = written.stat().st_size / 1e6
    say(f"Written to {written}, {size:.1f} MB; forecast with: citytune-edge {written} FILE")

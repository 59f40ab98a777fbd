"""One page on a model of pictures, and the folder of a run: page, scores and model."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from citytune._errors import RunError
from citytune._files import locked, names_in, replacing_folder
from citytune._text import number, percent, plain
from citytune.reporting import render
from citytune.vision._frame import PictureFrame
from citytune.vision._model import VisionModel
from citytune.vision._picture import decode
from citytune.windows import evenly

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN = 6
"""Pictures that are drawn with what the network looked at."""
SIDE = 320
BLUE, ORANGE = (0, 114, 178), (230, 110, 0)
COVER = 0.7
"""Most that a colour covers."""
REPORT, SCORES, MODEL = "report.html", "scores.json", "model"
NAMES = {
    "tuned": "this model",
    "network": "the network without the gate",
    "mean": "the mean of all",
    "hour mean": "the camera's hour mean",
    "nothing": "counting nothing",
}


def report(model: VisionModel, frame: PictureFrame, *, made: dt.date | None = None) -> str:
    """The page as HTML, which opens without the internet.

    Args:
        model: What is shown.
        frame: The pictures it was tuned from; of some it is drawn where it looked.
        made: The day; today by default.
    """
    scores = model.scores
    unit = "share of wrong answers" if scores.kind == "class" else "mean absolute error"
    side = model.network.pixels
    shown = f"{model.network.name}, shown {side} × {side} pixels"
    day = made or dt.datetime.now().astimezone().date()
    return render(
        {
            "title": f"{model.target.name}, read off pictures",
            "subtitle": f"{frame!r}"[13:-1],
            "verdict": scores.sentence(),
            "sentences": list(filter(None, [scores.leakage(), scores.coverage(), model.gated()])),
            "error": unit,
            "models": [(NAMES[name], number(error)) for name, error in scores.errors.items()],
            "figure": _figure(model),
            "rows": [
                (row.group, str(row.pictures), number(row.errors["tuned"]),
                 number(row.errors["mean"]))
                for row in scores.groups
            ],
            "looked": _looked(model, frame),
            "method": "Every number above is of pictures from groups that were left out while all "
            "was learnt: the last layer, its λ and the means it is compared with.",
            "known": [
                ("network", shown),
                ("strategy", model.strategy),
                ("penalty λ", number(model.head.penalty)),
                ("followed", percent(model.share)),
                ("of the pictures", "; ".join(model.notes)),
            ],
            "made": f"Made with citytune {version('citytune')} on {day}.",
        },
        "pictures.html",
    )  # fmt: skip


def write_run(model: VisionModel, frame: PictureFrame, out: Path, *, overwrite: bool) -> Path:
    """Write a run of pictures: `report.html`, `scores.json` and `model/`, all or nothing."""
    with locked(out), replacing_folder(out, partial(_check_free, out, overwrite)) as draft:
        (draft / MODEL).mkdir()
        model.write_into(draft / MODEL)
        (draft / REPORT).write_text(report(model, frame), encoding="utf-8")
        text = json.dumps(summary(model), indent=2, ensure_ascii=False, allow_nan=False)
        (draft / SCORES).write_text(text + "\n", encoding="utf-8")
    return out


def summary(model: VisionModel) -> dict[str, Any]:
    """What a program wants to know of a model."""
    scores = model.scores
    return {
        "format": 1,
        "target": model.target.name,
        "kind": model.target.kind,
        "network": model.network.name,
        "strategy": model.strategy,
        "pictures": scores.pictures,
        "groups": [
            {"group": row.group, "pictures": row.pictures,
             **{name: plain(error, 6) for name, error in row.errors.items()}}
            for row in scores.groups
        ],
        "errors": {name: plain(error, 6) for name, error in scores.errors.items()},
        "random_split": plain(scores.random_split, 6),
        "coverage_90": plain(scores.coverage_90, 6),
        "width_90": plain(scores.width_90, 6),
        "share": plain(model.share, 6),
    }  # fmt: skip


def _check_free(out: Path, overwrite: bool, held: Path) -> None:
    ours = {REPORT, SCORES, MODEL}
    if not held.is_dir() or names_in(held) - ours:
        raise RunError(f"{out} holds something else, so it is left alone; choose another out=")
    if not overwrite and names_in(held):
        raise RunError(
            f"{out} already exists and was not overwritten; choose another out=, or pass "
            "overwrite=True"
        )


def _figure(model: VisionModel) -> go.Figure:
    """Errors of each group, the model's and the mean's."""
    import plotly.graph_objects as go

    rows = sorted(model.scores.groups, key=lambda row: row.errors["mean"])
    figure = go.Figure()
    for name, colour in (("tuned", "#0072b2"), ("mean", "#00775a")):
        figure.add_trace(
            go.Bar(
                y=[row.group for row in rows],
                x=[float(f"{row.errors[name]:.6g}") for row in rows],
                name=NAMES[name],
                orientation="h",
                marker={"color": colour},
            )
        )
    figure.update_layout(
        barmode="group", height=120 + 34 * len(rows), margin={"l": 10, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h"}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    figure.update_yaxes(automargin=True, type="category")
    return figure


def _looked(model: VisionModel, frame: PictureFrame) -> list[dict[str, str]]:
    """Some pictures with what the answer came from: spread over what was answered."""
    some = frame.pick(evenly(len(frame), SHOWN).tolist())
    answers = model.answers(some)
    maps = model.looked_at(some)
    most = float(maps.abs().flatten().quantile(0.99).clamp_min(1e-12)) if model.share else 1.0
    found = []
    for i in range(len(some)):
        colours = decode(some.pictures[i], model.network.pixels)
        found.append(
            {
                "image": _drawn(colours, maps[i] / most),
                "name": Path(some.names[i]).name,
                "text": _said(model, answers[i], None if some.values is None else some.values[i]),
            }
        )
    return found


def _said(model: VisionModel, answer: Tensor, label: object) -> str:
    target = model.target
    if target.kind == "class":
        best = int(answer.argmax())
        said = f"{target.classes[best]} ({percent(float(answer[best]))})"
    else:
        said = number(float(answer[0]))
    known = "" if label is None else f", and the label says {label}"
    return f"it answers {said}{known}; it has learnt from this picture"


def _drawn(colours: np.ndarray[Any, Any], heat: Tensor) -> str:
    """The picture, and next to it the same in grey under colours, as a data address."""
    from PIL import Image

    grey = colours.mean(2, keepdims=True).repeat(3, 2)
    strength = heat.clamp(-1, 1).numpy()[..., None]
    paint = np.where(strength > 0, np.array(BLUE), np.array(ORANGE))
    cover = COVER * np.abs(strength)
    covered = (1 - cover) * grey + cover * paint
    both = np.concatenate([colours, covered.round().astype(np.uint8)], axis=1)
    image = Image.fromarray(both).resize((2 * SIDE, SIDE))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()

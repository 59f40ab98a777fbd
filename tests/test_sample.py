"""Promise: the bundled sample is small, real, cited, and what SOURCES.md says it is."""

from __future__ import annotations

import datetime as dt
import importlib.util
import lzma
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from citytune._errors import UnknownName
from citytune._sample import SAMPLES, sample

ROOT = Path(__file__).parents[1]
DATA = ROOT / "src" / "citytune" / "_sample" / "data"
HOUR = dt.timedelta(hours=1)


def table(name: str) -> pl.DataFrame:
    return pl.read_parquet(sample(name))


def test_all_of_it_is_at_most_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 3_000_000


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'traffic'"):
        sample("traffics")


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sensor_is_a_column_of_numbers_and_the_clock_is_hourly(name: str) -> None:
    found = table(name)
    assert set(SAMPLES[name].sensors) < set(found.columns)
    assert all(found.schema[column].is_numeric() for column in found.columns if column != "time")
    steps = found["time"].unique().sort().diff().drop_nulls()
    assert steps.min() == HOUR
    assert (steps == HOUR).mean() > 0.93


def test_traffic_keeps_the_faults_of_its_source() -> None:
    found = table("traffic")
    assert found.height == 48_204
    assert found["time"].n_unique() == 40_575  # repeated hours, one for each weather report
    assert (found["temp"] == 0).sum() == 10
    assert found["rain_1h"].max() == pytest.approx(9831.3)
    assert found["traffic_volume"].min() == 0
    assert found["traffic_volume"].max() == 7280
    span = (found["time"].min(), found["time"].max())
    assert span == (dt.datetime(2012, 10, 2, 9), dt.datetime(2018, 9, 30, 23))


def test_air_keeps_its_gaps() -> None:
    found = table("air")
    assert found.height == 43_824
    assert found["pm25"].null_count() == 2_067
    assert found["pm25"].max() == 994
    assert found["pressure"].min() == 991
    span = (found["time"].min(), found["time"].max())
    assert span == (dt.datetime(2010, 1, 1), dt.datetime(2014, 12, 31, 23))


def test_energy_is_the_mean_of_the_minutes_in_kilowatts() -> None:
    found = table("energy")
    assert found.height == 34_589
    assert found["household"].null_count() == 432
    assert 1.05 < found["household"].mean() < 1.13  # the minutes' own mean is 1.0916 kW
    parts = found.select(pl.sum_horizontal("kitchen", "laundry", "heating"))
    rest = (found["household"] - parts.to_series()).drop_nulls()
    assert rest.min() > -0.1  # the submeters are parts of the whole
    assert found["time"].max() == dt.datetime(2010, 11, 26, 21)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_file_is_cited_with_its_licence(name: str) -> None:
    text = (DATA / "SOURCES.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text
    part = text.split(f"## {name}.parquet")[1].split("\n## ")[0]
    assert "https://doi.org/10.24432/" in part
    assert f"{table(name).height:,}" in part
    assert all(f"`{column}`" in part for column in table(name).columns)


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "scripts/make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hours_are_means_of_the_minutes_that_were_measured(
    script: ModuleType, tmp_path: Path
) -> None:
    head = "Date,Time,Global_active_power,Sub_metering_1,Sub_metering_2,Sub_metering_3\n"
    rows = [f"1/2/2007,10:{m:02d}:00,{m / 10},1,2,{m % 2}\n" for m in range(60)]
    gone = [f"1/2/2007,11:{m:02d}:00,{'?,?,?,' if m < 31 else '5,5,5,5'}\n" for m in range(60)]
    (tmp_path / "x.csv.xz").write_bytes(lzma.compress((head + "".join(rows + gone)).encode()))
    found = script.energy(tmp_path / "x.csv.xz")
    assert found["time"].to_list() == [dt.datetime(2007, 2, 1, 10), dt.datetime(2007, 2, 1, 11)]
    assert found["household"].to_list() == [pytest.approx(2.95), None]  # mean of 0.0 … 5.9
    assert found["kitchen"][0] == pytest.approx(0.06)  # 1 Wh a minute is 60 W
    assert found["heating"][0] == pytest.approx(0.03)
    assert found["heating"][1] is None


def test_rows_of_the_hourly_sources_are_kept_as_they_are(
    script: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(
        "holiday,temp,rain_1h,snow_1h,clouds_all,weather_main,date_time,traffic_volume\n"
        "None,0.0,9831.3,0.0,40,Rain,2016-07-11 17:00:00,5535\n"
        "None,0.0,9831.3,0.0,40,Mist,2016-07-11 17:00:00,5535\n"
    )
    found = script.traffic(tmp_path / "t.csv")
    assert found.height == 2
    assert found.columns == table("traffic").columns
    (tmp_path / "a.csv").write_text(
        "No,year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir\n"  # codespell:ignore
        "1,2010,1,1,0,NA,-21,-11,1021,NW,1.79,0,0\n"
        "2,2010,1,1,1,129,-21,-11,1021.5,NW,1.79,0,0\n"
    )
    found = script.air(tmp_path / "a.csv")
    assert found.columns == table("air").columns
    assert found["pm25"].to_list() == [None, 129]
    assert found["pressure"].to_list() == [1021.0, 1021.5]

"""Promise: real city files are read as a person would read them, quickly and in little memory."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from citytune import InputError
from citytune.readers import read

SHARED = Path(__file__).parents[2] / "shared"
DATA = SHARED / "data"

# What a person would say the file holds: freq, number of sensors, the first one, domain.
EXPECTED = {
    "air/beijing_aqi36_pm25": ("1h", 36, "001001", "air"),
    "air/beijing_multisite": ("1h", 12, "Aotizhongxin", "air"),
    "air/beijing_multisite_pm25": ("1h", 12, "Aotizhongxin", "air"),
    "air/beijing_us_embassy_pm25": ("1h", 1, "pm2.5", "air"),
    "air/british_columbia_sample": ("1h", 13, "Burnaby Kensington Park", "air"),
    "air/germany_rural_pm10_daily": ("1D", 70, "DESH001", "air"),
    "air/italy_airquality_uci": ("1h", 1, "NO2(GT)", "air"),
    "air/london_4sites_2009": ("1h", 4, "London Bloomsbury", "air"),
    "air/london_marylebone_1998_2005": ("1h", 1, "pm25", "air"),
    "air/london_marylebone_1998_2016": ("1h", 1, "no2", "air"),
    "air/ontario_pm25": ("1h", 39, "12008", "air"),
    "air/us_wildfire_camp_fire_pm25": ("1h", 134, "6bbab08e3786ef66_840060450006", "air"),
    "air/us_wildfire_nw_megafires_pm25": ("1h", 142, "dbed7c534d194ccf_wrcc.s215", "air"),
    "energy/ETTh1": ("1h", 7, "HUFL", "other"),
    "energy/ETTh2": ("1h", 7, "HUFL", "other"),
    "energy/adelaide_demand_1997_2007": ("30min", 1, "demand", "energy"),
    "energy/appliances_energy": ("10min", 1, "Appliances", "energy"),
    "energy/australia_solar_wind_plant": ("1h", 2, "y_solar", "energy"),
    "energy/australia_state_temperature": ("30min", 5, "VIC", "other"),
    "energy/bdg2_two_buildings": ("1h", 2, "building_1", "energy"),
    "energy/caiso_utilities_2018": ("1h", 4, "PGE", "other"),
    "energy/citylearn2022_fontana_homes": ("1h", 17, "b01_load", "energy"),
    "energy/ercot_zones_2021_22": ("1h", 8, "COAST", "other"),
    "energy/france_rte_load": ("1h", 1, "load", "energy"),
    "energy/gefcom2012_load": ("1h", 20, "zone_1", "energy"),
    "energy/gefcom2014_load": ("1h", 1, "LOAD", "energy"),
    "energy/household_power_15min": ("15min", 1, "Global_active_power", "energy"),
    "energy/openstef_nl_substations": ("15min", 10, "HAL_total_substation", "other"),
    "energy/opsd_germany_daily": ("1D", 1, "Consumption", "energy"),
    "energy/pjm_hourly_regions": ("1h", 12, "AEP", "other"),
    "energy/steel_industry": ("15min", 1, "Usage_kWh", "energy"),
    "energy/taylor_england_wales": ("30min", 1, "load", "energy"),
    "energy/tsrepr_50_consumers": ("30min", 50, "consumer_1", "energy"),
    "energy/uci_electricity_one_series": ("1h", 1, "load", "energy"),
    "energy/uk_national_grid_demand": ("30min", 1, "ND", "energy"),
    "energy/us_eia_hourly": ("1h", 11, "us48_demand", "other"),
    "traffic/aarhus_count": ("5min", 449, "158324", "traffic"),
    "traffic/aarhus_parking": ("30min", 8, "BRUUNS", "traffic"),
    "traffic/aarhus_speed": ("5min", 449, "158324", "traffic"),
    "traffic/bangkok_bus_link_times": ("30min", 491, "0_0_6", "traffic"),
    "traffic/beijing_metro_15min": ("15min", 552, "in_000", "traffic"),
    "traffic/birmingham_parking": ("30min", 30, "BHMBCCMKT01", "traffic"),
    "traffic/capital_bikeshare_hourly": ("1h", 1, "count", "traffic"),
    "traffic/chicago_l_ridership_daily": ("1D", 21, "ridership", "traffic"),
    "traffic/hangzhou_metro_inflow": ("10min", 80, "station_00", "traffic"),
    "traffic/jonas_dc_demand": ("1h", 432, "taxi_a_00_00", "traffic"),
    "traffic/jonas_nyc_demand": ("30min", 512, "taxi_a_00_00", "traffic"),
    "traffic/los_loop_metr_la_week": ("5min", 207, "773869", "other"),
    "traffic/melbourne_pedestrian_2016": ("1h", 7, "Collins Place (North)", "traffic"),
    "traffic/melbourne_pedestrian_4": ("1h", 4, "Birrarung Marr", "traffic"),
    "traffic/melbourne_pedestrian_55": ("1h", 55, "1_Bou292_T", "traffic"),
    "traffic/metro_interstate_94": ("1h", 1, "traffic_volume", "traffic"),
    "traffic/montevideo_bus_boarding": ("1h", 675, "5289", "traffic"),
    "traffic/norway_hourly_volume": ("1h", 95, "13093V804836", "traffic"),
    "traffic/nyc_taxi_30min": ("30min", 1, "passengers", "traffic"),
    "traffic/pems_single_station_2016": ("5min", 1, "flow", "traffic"),
    "traffic/seattle_bike_ped": ("1h", 7, "Fremont Bridge East Sidewalk", "traffic"),
    "traffic/seoul_bike": ("1h", 1, "rented_bike_count", "traffic"),
    "traffic/sf_traffic_one_series": ("1h", 1, "occupancy_mean", "traffic"),
    "traffic/telraam_vitre": ("1h", 2, "9000001844 - RteVitre-06", "traffic"),
    "traffic/twin_cities_nab_realtraffic": ("5min", 3, "speed_6005", "traffic"),
}


def path_of(name: str) -> Path:
    path = DATA / f"{name}.parquet"
    path = path if path.exists() else DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{name} is not in {DATA}")
    return path


MANY = 200
"""Sensors from which a file is left to the extras: they read whole corpora."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.extras if count > MANY else ())
        for name, (_, count, _, _) in EXPECTED.items()
    ],
)
def test_a_real_file_is_read_as_a_person_would(name: str) -> None:
    frame = read(path_of(name))
    freq, count, first, domain = EXPECTED[name]
    assert (frame.clock.freq, len(frame.sensors), frame.sensors[0]) == (freq, count, first)
    assert frame.quantity.domain == domain
    assert not [fault for fault in frame.faults if fault.severity == "error"]


def test_weather_alone_is_several_quantities() -> None:
    with pytest.raises(InputError, match="target='tempm'"):
        read(path_of("traffic/aarhus_weather"))


@pytest.mark.parametrize(
    ("name", "sensor", "column"),
    [
        ("air/beijing_multisite", "Dongsi", "NO2"),
        ("traffic/norway_hourly_volume", "21700V2441491", "21700V2441491"),
        ("traffic/metro_interstate_94", "traffic_volume", "traffic_volume"),
    ],
)
def test_the_readings_of_a_real_file_are_its_own(name: str, sensor: str, column: str) -> None:
    """Compared, moment by moment, with a plain look into the file."""
    table = pl.read_parquet(path_of(name)).sort("timestamp")
    if "station" in table.columns:
        table = table.filter(pl.col("station").cast(pl.String) == sensor)
        frame = read(path_of(name), target=column)
    else:
        frame = read(path_of(name))
    values = frame.values[:, frame.sensors.index(sensor)]
    rows = [frame.clock.index(moment.replace(tzinfo=None)) for moment in table["timestamp"]]
    expected = np.full(len(frame), np.nan, np.float32)
    expected[rows] = table[column].cast(pl.Float32).to_numpy()
    mended = sum(
        f.count
        for f in frame.faults
        if f.kind in ("stuck", "sentinel", "negative") and f.sensor == sensor
    )
    differ = ~((values == expected) | (np.isnan(values) & np.isnan(expected)))
    assert differ.sum() == mended


def test_weather_of_the_same_file_can_be_known_ahead() -> None:
    frame = read(path_of("traffic/metro_interstate_94"), covariates=["temp", "clouds_all"])
    assert {table.shape for table in frame.covariates.values()} == {(len(frame), 1)}


def test_a_wide_csv_of_hundreds_of_sensors_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count, width = 4000, 400
    start = dt.datetime(2024, 1, 1)
    times = pl.datetime_range(
        start, start + dt.timedelta(minutes=5 * (count - 1)), "5m", eager=True
    )
    values = rng.integers(0, 400, (count, width))
    columns = {f"loop{i}": values[:, i] for i in range(width)}
    pl.DataFrame({"time": times} | columns).write_csv(tmp_path / "wide.csv")
    frame = read(tmp_path / "wide.csv")
    np.testing.assert_array_equal(frame.values, values)


SCRIPT = r"""
import re, sys
from pathlib import Path
from citytune.readers import read
frame = read(sys.argv[1])
peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
print(len(frame), len(frame.sensors), int(peak[1]) / 1e6)
"""


@pytest.mark.extras
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells its peak")
def test_two_million_rows_are_read_in_little_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    start = dt.datetime(2023, 1, 1)
    count, width = 105_120, 20
    times = pl.datetime_range(
        start, start + dt.timedelta(minutes=5 * (count - 1)), "5m", eager=True
    )
    parts = [
        pl.DataFrame({"timestamp": times, "volume": rng.integers(0, 300, count)}).with_columns(
            sensor=pl.lit(f"loop_{i}")
        )
        for i in range(width)
    ]
    pl.concat(parts).write_parquet(tmp_path / "year.parquet")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "year.parquet")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert answer[:2] == [str(count), str(width)]
    assert float(answer[2]) < 1  # GB

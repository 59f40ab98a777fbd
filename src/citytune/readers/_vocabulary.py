"""The words city data use for times, sensors and quantities."""

from __future__ import annotations

import re


def _words(text: str) -> list[str]:
    return text.split()


TIME = _words("""
timestamp date_time datetime date_utc datetime_utc time_utc utc_time utc timestamp_utc
local_time datetime_local date_local time date ds datum zeitstempel zeitpunkt zeit datum_zeit
tidspunkt tid fecha_hora fecha data_ora data horodate date_heure datumtijd tijd ts dt moment
start_time time_start period_start interval_start start begin from measured_at recorded_at
observed_at created_at settlement_date epoch unixtime unix_time unix date_from hour_beginning
hour_ending
""")
CLOCK_TIME = _words("time hour hr hh hora ora heure uhrzeit zeit tid klokkeslett tijd stunde")
"""Columns that hold the time of the day next to a column of dates."""

SENSOR = _words("""
unique_id sensor_id sensor sensorid station_id station stationid detector_id detector site_id
site siteid loop_id loop meter_id meter device_id device trp_id monitor_id monitor segment_id
segment link_id link node_id node point_id point location_id location building_id building
household_id household customer consumer zone_id zone region area district street road route
line stop asset feeder substation series_id series item_id sensor_name station_name site_name
stasjon messstelle estacion stazione punkt id code name channel
""")
SENSOR_PARTS = frozenset(
    _words("sensor station detector site loop meter device monitor segment link node building")
)

LATITUDE = ("latitude", "lat", "breddegrad", "y_lat")
LONGITUDE = ("longitude", "lon", "lng", "long", "lengdegrad", "x_lon")

GENERIC = _words(
    "value y target reading measurement measured observation val wert verdi valor valore"
)
TRAFFIC = _words("""
traffic_volume total_volume traffic_flow vehicle_flow vehicle_count vehicles_count volume flow
veh vehicles num_vehicles traffic traffic_count count counts cnt rentals rented_bike_count trips
ridership passengers boardings car cars bike bikes bicycles pedestrian pedestrians people
visitors speed avg_speed average_speed mean_speed occupancy travel_time
""")
AIR = _words("pm25 pm_25 pm10 no2 nox o3 ozone no so2 co aqi bc black_carbon")
ENERGY = _words("""
load demand total_load national_demand nd consumption energy power active_power
global_active_power power_consumption energy_consumption electricity usage electricity_usage
appliances heat gas net_load
""")
TARGETS = {
    word: rank for rank, word in enumerate([*GENERIC, *TRAFFIC, *AIR, *ENERGY])
}  # lower is more likely what is to be forecast

BESIDES = frozenset(_words("""
temp temperature tempm temps tmin tmax tavg humidity hum rain rainfall precip percip prcp
precipitation
snow cloud clouds wind windspeed wspd wspdm wspm gust press pressure dewp dew tdewpoint
dewpoint visibility radiation irradiance ghi dni solar sun sunshine uv weather vis holiday
weekday weekend dayofweek day month year hour minute week season voltage intensity reactive
metering factor capacity generation price uptime v85 quality flag status error lights ethane
isoprene benzene toluene nmhc emission emissions cbwd elevation altitude lat latitude lon lng
longitude embedded forecast
"""))  # fmt: skip
"""Words of columns that go next to a target: weather, calendar, electrical side values."""
BESIDES_SHORT = frozenset(_words("t rh ah ws wd is ir iws nsm pn cl rv tr co2 c6h6 index"))
"""The same, where the word is the whole name."""

UNITS = frozenset(_words("kwh kw mw mwh wh w gw ug ugm3 m3 veh h vph kmh mph kph pct percent"))
_POLLUTANT = re.compile(r"^(pm25|pm10|pm1|no2|so2|o3|co2|c6h6|v85|m3|ugm3)$")


def plain_name(column: str) -> str:
    """A column's name in lower case and underscores, without brackets.

    >>> plain_name("PM2.5"), plain_name("NO2(GT)"), plain_name("TravelTime_387")
    ('pm25', 'no2', 'travel_time_387')
    """
    name = re.sub(r"[(\[].*?[)\]]", " ", column) if column[:1] not in "([" else column
    name = re.sub(r"(?i)pm[ _]?2[._]5", "pm25", name)
    name = re.sub(r"(?i)pm_(10|25)\b", r"pm\1", name)
    name = re.sub(r"([kMG])(W)(h?)(?![a-z])", lambda unit: unit[0].lower(), name)
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^0-9a-zA-Z\u00c0-\uffff]+", "_", name).strip("_").lower()


def tokens(column: str) -> list[str]:
    """The words of a column's name."""
    return plain_name(column).split("_")


def family(column: str) -> str:
    """What columns that differ only in a number or code have in common.

    >>> family("zone_12"), family("speed_t4013"), family("b01_load"), family("PM2.5"), family("T1")
    ('zone', 'speed', 'load', 'pm25', 't')
    """
    words = tokens(column)
    kept = [word for word in words if not re.search(r"\d", word) or _POLLUTANT.match(word)]
    if not kept and len(words) == 1:
        return words[0].rstrip("0123456789")
    return "_".join(kept)


def target_rank(column: str) -> int | None:
    """How likely a column is what is to be forecast, by its name: 0 is likeliest, None unknown.

    >>> target_rank("traffic_volume") < target_rank("PM2.5") < target_rank("Usage_kWh")
    True
    """
    for name in (plain_name(column), family(column)):
        words = name.split("_")
        while len(words) > 1 and words[-1] in UNITS:
            words.pop()
        if (rank := TARGETS.get("_".join(words))) is not None:
            return rank
    return None


def goes_beside(column: str) -> bool:
    """Whether a name says weather, calendar or a side value rather than the target.

    >>> goes_beside("rain_1h"), goes_beside("T1"), goes_beside("norreport")
    (True, True, False)
    """
    name = plain_name(column)
    short = len(name) <= 4 and (name in BESIDES_SHORT or family(column) in BESIDES_SHORT)
    return short or name.split("_")[0] == "rh" or bool(BESIDES.intersection(name.split("_")))

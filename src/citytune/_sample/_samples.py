"""Name the bundled files, and say what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from citytune._errors import UnknownName

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A bundled file, and how it is meant to be read."""

    name: str
    """The name it is asked for by."""
    title: str
    """What was measured, where and when."""
    sensors: tuple[str, ...]
    """Its measured columns."""
    unit: str
    """Unit of the measured columns."""
    country: str
    """Whose holidays apply."""
    timezone: str | None = None
    """Where its clock follows a time zone."""

    @property
    def path(self) -> Path:
        """The Parquet file."""
        return DATA / f"{self.name}.parquet"


SAMPLES = {
    one.name: one
    for one in (
        Sample(
            name="traffic",
            title="vehicles an hour on interstate 94, Minneapolis, 2012 to 2018, with weather",
            sensors=("traffic_volume",),
            unit="veh/h",
            country="US-MN",
            timezone="America/Chicago",
        ),
        Sample(
            name="air",
            title="PM2.5 in Beijing, hourly, 2010 to 2014, with weather",
            sensors=("pm25",),
            unit="µg/m³",
            country="CN",
            timezone="Asia/Shanghai",
        ),
        Sample(
            name="energy",
            title="power of a household near Paris, hourly, 2006 to 2010, with three submeters",
            sensors=("household", "kitchen", "laundry", "heating"),
            unit="kW",
            country="FR",
        ),
    )
}
"""Every bundled file by name."""


def sample(name: str) -> Path:
    """The Parquet file of a bundled data set: "traffic", "air" or "energy".

    >>> sample("air").name
    'air.parquet'
    """
    if name not in SAMPLES:
        raise UnknownName("sample", name, SAMPLES)
    return SAMPLES[name].path

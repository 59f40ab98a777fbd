"""The kinds of fields that requests have, and what they must hold."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

PLAIN = r"^[^\x00-\x1f\x7f]+$"
LARGEST = 2**53
Name: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=PLAIN, strip_whitespace=True)
]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=PLAIN)]
Sql: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=20_000, pattern=r"^[^\x00]+$")
]
Sensor: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PLAIN)]
Id: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST)]
Item = TypeVar("Item")


def _in_range(moment: dt.datetime) -> dt.datetime:
    if not 1900 <= moment.year <= 2200:
        raise ValueError("a year from 1900 to 2200 is needed")
    return moment


def _plain(value: Any, depth: int = 0) -> Any:
    """JSON that a database keeps: not deep, no zero bytes, numbers that are numbers."""
    if depth > 4:
        raise ValueError("nested more than four levels deep")
    if isinstance(value, dict):
        for name in value:
            _plain(name)
    inner = [*value.values()] if isinstance(value, dict) else value
    if isinstance(inner, list):
        if len(inner) > 1000:
            raise ValueError("more than 1,000 items")
        for one in inner:
            _plain(one, depth + 1)
    if isinstance(value, str) and (
        len(value) > 1000 or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value)
    ):
        raise ValueError("a text of at most 1,000 characters without zero bytes is needed")
    if isinstance(value, int | float) and not abs(value) < 1e15:
        raise ValueError("a number below 1e15 is needed")
    return value


Moment: TypeAlias = Annotated[dt.datetime, AfterValidator(_in_range)]
Json: TypeAlias = Annotated[dict[str, Any], AfterValidator(_plain)]


class Sent(BaseModel):
    """A body of a request; what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Item]):
    """Some of a list."""

    items: list[Item]
    next: str | None = Field(None, description="Pass it as `cursor` for the following ones.")

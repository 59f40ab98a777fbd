"""Take dataclasses apart into JSON facts and named tensors, and make them again from annotations.

Only classes that an annotation names, or a registry that was handed over, are ever made. Whatever a
file holds that does not fit the annotations is a `Misfit`, which knows where.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
import torch
from torch import Tensor

from citytune._registry import Registry
from citytune.windows import Axes

KIND = "kind"
"""The field that names the class which stands for a protocol."""
COMPACT = (torch.int16, torch.int32)
"""How long whole numbers are kept that need fewer bytes."""
NO_JSON = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

Open = Mapping[Any, Registry[Any]]
"""A protocol → the classes that may stand for it, by kind."""


class Misfit(ValueError):  # noqa: N818 - reads as what it says
    """Something in a file is not what must be there."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}" if path else what)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Whatever does not fit in here is in the file of this name."""
    try:
        yield
    except Misfit as error:
        raise Misfit(name, str(error)) from error


def parse(text: str | bytes) -> Any:
    """What JSON holds; a `Misfit` if it cannot be read, is nested too deep or holds NaN."""
    try:
        return json.loads(text, parse_constant=float.fromhex)  # which knows no name JSON gives
    except (ValueError, RecursionError) as error:
        raise Misfit("", f"it cannot be read ({str(error)[:120]})") from error


def take_apart(value: Any, open_to: Open) -> tuple[Any, dict[str, Tensor]]:
    """Facts for JSON, and tensors by dotted path; fields marked `saved=False` are left out."""
    tensors: dict[str, Tensor] = {}

    def facts(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            tensors[path] = _compact(value.detach())
            return list(value.shape)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(float(value))
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        if isinstance(value, dt.datetime | np.datetime64):
            return str(np.asarray(value, "datetime64[us]"))
        if dataclasses.is_dataclass(value):
            parts = _kind(type(value), open_to)
            parts |= {name: getattr(value, name) for name in _fields(type(value))}
        elif isinstance(value, Mapping):
            parts = dict(value)
        elif hasattr(value, "_asdict"):
            parts = value._asdict()
        else:
            return [facts(one, _join(path, i)) for i, one in enumerate(value)]
        return {name: facts(one, _join(path, name)) for name, one in parts.items()}

    return facts(value, ""), tensors


def _compact(value: Tensor) -> Tensor:
    if value.dtype == torch.int64 and value.numel():
        low, high = (int(edge) for edge in value.aminmax())
        for small in COMPACT:
            if torch.iinfo(small).min <= low and high <= torch.iinfo(small).max:
                return value.to(small)
    return value.contiguous().clone()


def _kind(made: Any, open_to: Open) -> dict[str, Any]:
    """What kind a class is, if it may stand for a protocol."""
    names = (n for one in open_to.values() for n in one if one.make(n) is made)
    return {KIND: name for name in names}  # noqa: B035 - there is at most one


def _fields(made: Any) -> list[str]:
    if hasattr(made, "_fields"):  # of a NamedTuple
        return list(made._fields)
    return [one.name for one in dataclasses.fields(made) if one.metadata.get("saved", True)]


def _may_lack(made: Any) -> set[str]:
    """Fields with a default, which were not there yet when an earlier model was saved."""
    found = dataclasses.fields(made) if dataclasses.is_dataclass(made) else ()
    return {one.name for one in found if one.metadata.get("may_lack", False)}


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


@dataclasses.dataclass
class Builder:
    """Makes what was taken apart."""

    tensors: dict[str, Tensor]
    """By dotted path; what was used is taken out."""
    open_to: Open
    sizes: dict[str, int]
    """Axis → its length, where it is known; those of one other name must agree."""
    gaps: bool = False
    """Whether NaN is a number like others."""

    def whole(self, hint: Any, facts: Any) -> Any:
        """Something of the annotated type, with no tensor left over."""
        found = self.make(hint, facts, "")
        if self.tensors:
            raise Misfit(min(self.tensors), "these numbers belong to nothing")
        return found

    def make(self, hint: Any, facts: Any, path: str) -> Any:
        """Something of the annotated type."""
        origin, args = get_origin(hint), get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._one_of(args, facts, path)
        if origin is Annotated or hint is Tensor:
            return self._tensor(facts, path, *args[1:])
        if origin is tuple or origin is Sequence:
            return self._tuple(args if origin is tuple else (*args, ...), facts, path)
        if origin is Mapping:
            given = _object(facts, path)
            return {name: self.make(args[1], one, _join(path, name)) for name, one in given.items()}
        if hint in self.open_to:
            given, registry = _object(facts, path), self.open_to[hint]
            kind = given.pop(KIND, None)
            if not isinstance(kind, str) or kind not in registry:
                raise Misfit(_join(path, KIND), f"no kind of {registry.kind} is called {kind!r}")
            return self._made(registry.make(kind), given, path)
        if _has_fields(hint):
            return self._made(hint, _object(facts, path), path)
        return _plain(hint, facts, path)

    def _one_of(self, hints: Sequence[Any], facts: Any, path: str) -> Any:
        if facts is None and type(None) in hints:
            return None
        several = isinstance(facts, dict)
        rest = [hint for hint in hints if hint is not type(None)]
        rest = [one for one in rest if (_has_fields(one) or one in self.open_to) == several] or rest
        for hint in rest[:-1]:
            try:
                return self.make(hint, facts, path)
            except Misfit:
                continue
        return self.make(rest[-1], facts, path)

    def _made(self, made: Any, given: dict[str, Any], path: str) -> Any:
        names, hints = _fields(made), typing.get_type_hints(made, include_extras=True)
        for name in sorted((given.keys() ^ set(names)) - _may_lack(made)):
            what = "nothing of this name is known" if name in given else "it is not there"
            raise Misfit(_join(path, name), what)
        there = [name for name in names if name in given]
        parts = {name: self.make(hints[name], given[name], _join(path, name)) for name in there}
        try:
            return made(**parts)
        except (ValueError, TypeError, ArithmeticError, LookupError, RuntimeError) as error:
            raise Misfit(path, str(error)) from error

    def _tuple(self, hints: tuple[Any, ...], facts: Any, path: str) -> Any:
        if not isinstance(facts, list):
            raise Misfit(path, f"it must be a list, not {_shown(facts)}")
        if hints[-1] is ...:
            hints = hints[:1] * len(facts)
        if len(hints) != len(facts):
            raise Misfit(path, f"it must be a list of {len(hints)}, not of {len(facts)}")
        pairs = enumerate(zip(hints, facts, strict=True))
        return tuple(self.make(hint, one, _join(path, i)) for i, (hint, one) in pairs)

    def _tensor(self, facts: Any, path: str, axes: Axes | None = None) -> Tensor:
        value = self.tensors.pop(path, None)
        if value is None or facts != list(value.shape):
            there = "not there" if value is None else f"of shape {list(value.shape)}"
            raise Misfit(path, f"its numbers are {there}, and should be of shape {_shown(facts)}")
        if axes is not None:
            value = value.to(axes.dtype) if value.dtype in COMPACT else value
            self._check_axes(value, path, axes)
        if not self.gaps and bool(value.isnan().any()):
            raise Misfit(path, "some of its numbers are NaN")
        return value

    def _check_axes(self, value: Tensor, path: str, axes: Axes) -> None:
        names = axes.names
        if names[-1] == "...":
            names = (*names[:-1], *["any"] * (value.ndim + 1 - len(names)))
        if value.dtype != axes.dtype or len(names) != value.ndim:
            what = f"{value.ndim} axes of {value.dtype}, not {len(names)} of {axes.dtype}"
            raise Misfit(path, f"its numbers have {what}")
        for name, size in zip(names, value.shape, strict=True):
            name, _, other = name.partition("|")
            wanted = int(name) if name.isdigit() else self.sizes.setdefault(name, size)
            if name != "any" and str(size) != other and size != wanted:
                raise Misfit(path, f"it has {size} of axis {name!r}, not {wanted}")


def _plain(hint: Any, facts: Any, path: str) -> Any:
    if get_origin(hint) is Literal and any(facts is one or facts == one for one in get_args(hint)):
        return facts
    whole = type(facts) is int and abs(facts) < 2**63
    number = whole or (type(facts) is float and math.isfinite(facts))
    try:
        if hint is float and (number or facts in NO_JSON):
            return float(facts) if number else NO_JSON[facts]
        if hint is int and whole:
            return facts
        if hint in (str, bool) and type(facts) is hint:
            return facts
        if hint is dt.timedelta and number:
            return dt.timedelta(seconds=facts)
        if hint is dt.datetime and isinstance(facts, str):
            return dt.datetime.fromisoformat(facts)
        if hint is np.datetime64 and isinstance(facts, str):
            return np.datetime64(facts, "us")
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Misfit(path, str(error)) from error
    raise Misfit(path, f"it must be {getattr(hint, '__name__', hint)}, not {_shown(facts)}")


def _object(facts: Any, path: str) -> dict[str, Any]:
    if not isinstance(facts, dict):
        raise Misfit(path, f"it must be an object, not {_shown(facts)}")
    return dict(facts)


def _has_fields(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or hasattr(hint, "_fields") or get_origin(hint) is Mapping


def _shown(facts: Any) -> str:
    return "an object" if isinstance(facts, dict) else repr(facts)[:60] if facts != [] else "[]"

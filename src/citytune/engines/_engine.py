"""What an engine is, and the list of those that are known by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from citytune._errors import InputError, UnknownName

SIZE = 1000
"""Sensors of a group, unless asked for otherwise."""
Part = TypeVar("Part")
Found = TypeVar("Found")


@runtime_checkable
class Engine(Protocol):
    """Does the same work on many parts: one after the other, on many cores, or on many machines.

    Example:
        >>> class OnDask:                                        # doctest: +SKIP
        ...     def __init__(self, address):
        ...         self.client = distributed.Client(address)
        ...     def map(self, function, parts):
        ...         return self.client.gather(self.client.map(function, list(parts)))
        ...     def close(self):
        ...         self.client.close()
        >>> ct.register_engine("dask", OnDask)                   # doctest: +SKIP
        >>> run.forecast_into("loops/", "forecast", engine="dask://host:8786")  # doctest: +SKIP
    """

    def map(self, function: Callable[[Part], Found], parts: Iterable[Part]) -> Iterable[Found]:
        """What `function` gives of each part, in the order of the parts.

        Args:
            function: Can be pickled; it may hold a model of some megabytes, which is best sent to
                each worker once.
            parts: Can be pickled; they are best taken one by one, as workers come free.
        """
        ...

    def close(self) -> None:
        """Give back what was taken; it is not asked again."""
        ...


_ENGINES: dict[str, Callable[[str], Engine]] = {}


def register_engine(name: str, make: Callable[[str], Engine]) -> None:
    """Let an engine be called by name: `engine="name"`, or `engine="name://host:port"`.

    Args:
        name: What stands before `://`.
        make: Called with what was asked for, such as "ray://host:port"; gives an `Engine`.

    Raises:
        InputError: the name is taken.
    """
    if name in _ENGINES:
        raise InputError(f"an engine called {name!r} is already there; choose another name")
    _ENGINES[name] = make


def engine_names() -> list[str]:
    """What an engine may be called."""
    return list(_ENGINES)


def check_engine(engine: str | Engine) -> None:
    """Refuse what is no engine, before anything is read."""
    if isinstance(engine, str):
        if (name := engine.partition("://")[0]) not in _ENGINES:
            raise UnknownName("engine", name, _ENGINES)
    elif not isinstance(engine, Engine):
        raise InputError(
            f"engine is a name such as 'local' or 'ray', or has map and close; got {engine!r}"
        )


def check_group(group: object) -> None:
    """Refuse what is no number of sensors."""
    if isinstance(group, bool) or not isinstance(group, int) or group < 1:
        raise InputError(f"group is how many sensors go together, such as 1000; got {group!r}")


@contextmanager
def opened(engine: str | Engine) -> Iterator[Engine]:
    """The engine that a person means; one that was made here is closed at the end."""
    check_engine(engine)
    if not isinstance(engine, str):
        yield engine
        return
    made = _ENGINES[engine.partition("://")[0]](engine)
    try:
        yield made
    finally:
        made.close()


def opened_if(engine: str | Engine | None) -> AbstractContextManager[Engine | None]:
    """The same; None where none is asked for."""
    return nullcontext() if engine is None else opened(engine)


def refuse_address(name: str, asked: str) -> None:
    """For engines that are nowhere else."""
    if asked != name:
        raise InputError(f"the engine {name!r} has no address, got {asked!r}; leave it out")


@dataclass(frozen=True)
class How:
    """How groups are done."""

    engine: str | Engine
    group: int = SIZE

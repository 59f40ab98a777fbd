"""A named shelf of things made on demand: add by an ordinary call, get with a kind answer."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Generic, TypeVar

from citytune._errors import UnknownName

T = TypeVar("T")


def import_all(package: str) -> None:
    """Import every module of a package that is being imported, by name: each registers its own."""
    for module in pkgutil.iter_modules(sys.modules[package].__path__):
        import_module(f"{package}.{module.name}")


class Registry(Generic[T]):
    """Maps public names to factories; `kind` is the word used in messages ("backbone")."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._factories: dict[str, Callable[[], T]] = {}

    def add(self, name: str, factory: Callable[[], T]) -> None:
        """Put a factory on the shelf; a name can be taken only once."""
        if name in self._factories:
            raise ValueError(f"a {self.kind} called {name!r} is already there")
        self._factories[name] = factory

    def drop(self, name: str) -> None:
        """Take a name off the shelf."""
        del self._factories[name]

    def make(self, name: str) -> T:
        """Make the thing called `name`, or raise `UnknownName` with the nearest name."""
        if name not in self._factories:
            raise UnknownName(self.kind, name, self._factories)
        return self._factories[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._factories

    def __iter__(self) -> Iterator[str]:
        return iter(self._factories)

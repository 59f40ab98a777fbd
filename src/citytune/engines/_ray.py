"""The engine of Ray: on the cores of this machine, or on a cluster."""

from __future__ import annotations

import collections
import os
import platform
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from types import ModuleType
from typing import Any

from citytune._errors import InputError, RunError
from citytune.engines._engine import Found, Part, register_engine

NAME = "ray"
RETRIES = 3
"""Times that a part is done again if its worker, or its machine, is lost."""
AHEAD = 2
"""Parts that are under way, for each core: enough that none waits, and no more in memory."""
CLUSTER = re.compile(r"ray://[^/]+:\d{1,5}/?")
"""An address of Ray's client; without a port it would knock at the wrong door for half a minute."""
SILENCE = 10.0
"""Seconds after which an address that does not answer is given up."""
ADDRESS = "RAY_ADDRESS"
"""Variable of the environment that names a cluster, as it does for Ray itself."""


class RayEngine:
    """Spreads parts over the cores of this machine, or of a cluster.

    Args:
        asked: "ray" is the cluster that `RAY_ADDRESS` names, or else this machine;
            "ray://host:10001" is a cluster. A Ray that the process has started already is used.

    Raises:
        InputError: Ray is not installed, the cluster cannot be reached, or runs another version.
    """

    def __init__(self, asked: str = NAME) -> None:
        if asked != NAME and not CLUSTER.fullmatch(asked):
            raise InputError(
                f"a cluster has a host and a port, such as ray://host:10001; got {asked!r}"
            )
        self._ray = _imported()
        address = None if asked == NAME else asked
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            _start(self._ray, address)
        if address or os.environ.get(ADDRESS):
            self._check_versions(address or os.environ[ADDRESS])

    def map(self, function: Callable[[Part], Found], parts: Iterable[Part]) -> Iterator[Found]:
        """See `Engine`. What a part raises is raised here; a lost worker's parts are done again."""
        ray, task = self._ray, self._task()
        shared, waiting = ray.put(function), collections.deque[Any]()
        most = max(AHEAD, AHEAD * int(ray.cluster_resources().get("CPU", 1)))
        try:
            for part in parts:
                waiting.append(task.remote(shared, part))
                if len(waiting) >= most:
                    yield self._get(waiting.popleft())
            while waiting:
                yield self._get(waiting.popleft())
        finally:
            for one in waiting:
                with suppress(Exception):
                    ray.cancel(one, force=True)  # interrupted in an import, a worker is spoilt

    def close(self) -> None:
        """Stop the Ray that was started here; leave one that was there."""
        if self._is_ours:
            self._ray.shutdown()

    def _task(self) -> Any:
        return self._ray.remote(num_cpus=1, max_retries=RETRIES)(_work)

    def _get(self, one: Any) -> Any:
        failures = self._ray.exceptions
        try:
            return self._ray.get(one)
        except failures.RayTaskError as error:
            raise error.cause from None
        except (failures.WorkerCrashedError, failures.OutOfMemoryError) as error:
            raise RunError(
                f"a group of sensors was lost {RETRIES + 1} times with its worker "
                f"({str(error).strip().splitlines()[0][:160]}); take smaller groups, or fewer "
                "workers on a machine"
            ) from error

    def _check_versions(self, address: str) -> None:
        """Refuse a cluster whose citytune is another one: its numbers could be others."""
        own = _versions()
        try:
            task = self._ray.remote(num_cpus=1, max_retries=0)(_versions)
            theirs = self._get(task.remote())
        except ModuleNotFoundError as error:
            self.close()
            raise InputError(
                f"the workers of {address} lack a package ({error.name}); install citytune "
                f"{own['citytune']} on every machine of the cluster"
            ) from None
        if not _same(theirs):
            self.close()
            raise InputError(
                f"the workers of {address} run {_spelt(theirs)}, and this process "
                f"{_spelt(own)}; install the same versions on both"
            )


def _work(function: Callable[[Part], Found], part: Part) -> Found:
    import torch

    torch.set_num_threads(1)  # each core has a worker of its own
    return function(part)


def _imported() -> ModuleType:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or it warns of the future
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            f"engine='ray' needs Ray, which is not installed ({error}); install it with: pip "
            "install 'citytune[ray]'"
        ) from None
    return ray


def _start(ray: ModuleType, address: str | None) -> None:
    place = address or os.environ.get(ADDRESS)
    try:
        _knock(place or "")
        ray.init(address, include_dashboard=None if place else False, log_to_driver=False,
                 logging_level="error")  # fmt: skip
    except ImportError as error:
        raise InputError(
            f"{place} is reached by Ray's client, which is not installed ({error}); install it "
            "with: pip install 'ray[client]'"
        ) from None
    except Exception as error:
        if place is None:
            raise
        raise InputError(_told(place, error)) from None


def _knock(place: str) -> None:
    """Raise an `OSError` if nobody answers at host:port; Ray itself waits for minutes."""
    if found := re.fullmatch(r"(?:ray://)?([^/:]+):(\d{1,5})", place):
        socket.create_connection((found[1], int(found[2])), timeout=SILENCE).close()


def _told(place: str, error: Exception) -> str:
    """Why a cluster cannot be used, in one sentence."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    if "version" in reason.lower():
        return (
            f"the cluster {place} runs another version than this process ({reason}); install the "
            "same Python and Ray on both"
        )
    return (
        f"the cluster {place} cannot be reached ({reason}); is its address right, and is it up? "
        "Without an address, engine='ray' uses the cores of this machine"
    )


def _versions() -> dict[str, str]:
    names = ("citytune", "torch", "numpy")
    found = {name: version(name).partition("+")[0] for name in names}
    return found | {"Python": ".".join(platform.python_version_tuple()[:2])}


def _same(theirs: dict[str, str]) -> bool:
    return theirs == _versions()


def _spelt(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


register_engine(NAME, RayEngine)

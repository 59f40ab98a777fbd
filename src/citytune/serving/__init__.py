"""Serve forecasts: a database, jobs and an HTTP interface, on a laptop or in a server room.

What needs the extra `serve` is imported when it is used.
"""

from citytune.serving._client import Client, connect
from citytune.serving._serve import opened, run_worker, send_test, serve

__all__ = ["Client", "connect", "opened", "run_worker", "send_test", "serve"]

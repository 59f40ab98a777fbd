"""Tables and queries of databases: one module for each kind."""

from citytune.readers.databases import (  # each registers the kind it reads
    _duckdb,  # noqa: F401
    _postgres,  # noqa: F401
    _sqlite,  # noqa: F401
)

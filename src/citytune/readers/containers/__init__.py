"""From bytes to one table of named columns: one module for each kind of file."""

from citytune.readers.containers import (  # each registers the kind it reads
    _annotated,  # noqa: F401
    _cim,  # noqa: F401
    _excel,  # noqa: F401
    _fews,  # noqa: F401
    _hdf,  # noqa: F401
    _json,  # noqa: F401
    _line_protocol,  # noqa: F401
    _logfmt,  # noqa: F401
    _loxone,  # noqa: F401
    _lvm,  # noqa: F401
    _mscons,  # noqa: F401
    _nem12,  # noqa: F401
    _rrd,  # noqa: F401
    _senml,  # noqa: F401
    _sql_dump,  # noqa: F401
    _waterml,  # noqa: F401
    _web_tables,  # noqa: F401
    _xml,  # noqa: F401
    _yaml_lists,  # noqa: F401
    _zip,  # noqa: F401
    _zrxp,  # noqa: F401
)

"""Read HDF5 files that pandas wrote, by h5py, so that nothing pickled in them is run."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._openers import FREE_BYTES, MOST_RATIO, register

_REMEDY = "write it as Parquet: pandas.read_hdf(path).to_parquet('table.parquet')"

_DAMAGE = (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError,
           pl.exceptions.PolarsError)  # fmt: skip


def is_hdf(data: bytes) -> bool:
    """Whether a file begins as HDF5 does."""
    return data.startswith(b"\x89HDF\r\n\x1a\n")


def read_hdf(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The one table that pandas wrote in its fixed format, with its index as the first column."""
    try:
        import h5py
    except ModuleNotFoundError:
        findings.fail(
            "extra-needed",
            "this is an HDF5 file, which needs the package h5py",
            f"install it with: pip install 'citytune[hdf5]', or {_REMEDY}",
        )
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            _refuse_outside(file, len(data), findings)
            rows = _rows(_only_group(file, findings), findings)
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        findings.fail("damaged-file", f"the HDF5 file is damaged ({reason})", _REMEDY)
    return SourceTable(rows.lazy(), rows.schema, name, stem)


def _refuse_outside(file: Any, size: int, findings: Findings) -> None:
    """Refuse data that lies in other files, or is far larger than the file, before any is read."""
    import h5py

    groups, datasets = _objects(file)
    links = [group.get(name, getlink=True) for group in groups for name in group]
    outside = not all(isinstance(link, h5py.HardLink) for link in links)
    if outside or any(one.external or one.is_virtual for one in datasets):
        findings.fail(
            "data-elsewhere",
            "the HDF5 file takes data from elsewhere (a link, external storage or a virtual "
            "dataset), and citytune reads one file alone",
            f"put the data into the file itself, or {_REMEDY}",
        )
    total = sum(one.size * one.dtype.itemsize for one in datasets if one.size)
    if total > FREE_BYTES + MOST_RATIO * size:
        findings.fail(
            "zip-bomb",
            f"the HDF5 file of {size:,} bytes would unpack to {total:,}",
            _REMEDY,
        )


def _objects(file: Any) -> tuple[list[Any], list[Any]]:
    """Groups and datasets; those behind links of another kind are not opened."""
    import h5py

    found: list[Any] = [file]
    file.visititems(lambda _path, one: found.append(one))
    groups = [one for one in found if isinstance(one, h5py.Group)]
    return groups, [one for one in found if isinstance(one, h5py.Dataset)]


def _only_group(file: Any, findings: Findings) -> Any:
    """The group of the one table; `axis1` is what pandas calls its index."""
    found: list[str] = []
    file.visit(lambda path: found.append(path) if path.rsplit("/", 1)[-1] == "axis1" else None)
    if len(found) != 1:
        what = f"{len(found)} tables" if found else "no table in pandas' fixed format"
        findings.fail("several-files" if found else "not-a-table", f"the HDF5 file holds {what}",
                      _REMEDY)  # fmt: skip
    return file[found[0]].parent


def _rows(group: Any, findings: Findings) -> pl.DataFrame:
    columns = {"index": _index(group["axis1"], findings)}
    blocks = int(group.attrs["nblocks"])
    values: dict[str, pl.Series] = {}
    for i in range(blocks):
        items = _texts(group[f"block{i}_items"])
        table = group[f"block{i}_values"]
        if table.dtype.kind not in "fiub":
            findings.fail(
                "not-a-table",
                f"columns {listed(items, 3, quoted=True)} of the HDF5 file hold objects",
                _REMEDY,
            )
        values |= {item: pl.Series(item, table[:, j]) for j, item in enumerate(items)}
    order = [item for item in _texts(group["axis0"]) if item in values]
    return pl.DataFrame(columns | {item: values[item] for item in order})


def _index(axis: Any, findings: Findings) -> pl.Series:
    kind = axis.attrs.get("kind", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if not kind.startswith("datetime64"):
        findings.fail(
            "no-time",
            "the index of the table in the HDF5 file holds no times",
            "set a DatetimeIndex and write it once more, or write it as Parquet",
        )
    unit = kind.partition("[")[2].rstrip("]") or "ns"
    moments = np.asarray(axis[:], np.int64).astype(f"datetime64[{unit}]").astype("datetime64[us]")
    found = pl.Series("index", moments)
    zone = axis.attrs.get("tz")
    if zone is None:
        return found
    named = zone.decode() if isinstance(zone, bytes) else str(zone)
    return found.dt.replace_time_zone("UTC").dt.convert_time_zone(named)


def _texts(items: Any) -> list[str]:
    return [i.decode() if isinstance(i, bytes) else str(i) for i in items[:].tolist()]


register(is_hdf, read_hdf)

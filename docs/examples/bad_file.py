"""What happens to files with faults: mended and said, or refused with every reason at once."""

from pathlib import Path

import polars as pl

import citytune as ct

good = pl.read_parquet(ct.sample("air")).tail(60 * 24).select("time", "pm25")

# Faults that can be mended are, and each is listed: here -999 for "no data", and a row too many.
flawed = good.with_columns(
    pl.when(pl.col("time").dt.day() == 5).then(-999.0).otherwise(pl.col("pm25")).alias("pm25")
)
flawed = pl.concat([flawed, flawed.tail(1)])
frame = ct.read(flawed)
print(frame)
for fault in frame.faults:
    print(f"- {fault.severity} {fault.kind}: {fault}")

# Faults that no honest reading can work around are refused, with what, where and what to do.
rows = good.with_columns(pl.col("time").dt.strftime("%Y-%m-%d %H:%M")).write_csv()
Path("bad.csv").write_text(rows.replace("-05 1", "-05 oh "), encoding="utf-8")
try:
    ct.read("bad.csv")
except ct.TableError as error:
    print(error)

# So are arguments that do not fit.
try:
    ct.tune(frame, horizon=24, backbone="lag")
except ct.UnknownName as error:
    print(error)
try:
    ct.tune(frame, horizon=0)
except ct.InputError as error:
    print(error)

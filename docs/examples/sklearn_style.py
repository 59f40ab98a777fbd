"""The same in the manner of scikit-learn, from a pandas table to a pandas table."""

import pandas as pd

import citytune as ct

table = pd.read_parquet(ct.sample("energy")).tail(60 * 24)

# A table alone would do; saying what it holds gives the forecast its unit and its lower bound.
frame = ct.read(table, quantity="power", unit="kW", country="FR")

forecaster = ct.Forecaster(horizon=24, backbone="lags").fit(frame)
print(forecaster.predict(frame).to_pandas()[["sensor", "time", "mean", "q05", "q95"]].head())
print(f"share of the best naive forecast's error saved: {forecaster.score(frame):.1%}")

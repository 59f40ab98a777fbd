"""The same in the manner of scikit-learn, from a pandas table to a pandas table."""

import pandas as pd

import citytune as ct

table = pd.read_parquet(ct.sample("energy")).tail(90 * 24)

forecaster = ct.Forecaster(horizon=24, backbone="lags")
forecaster.fit(table)
print(forecaster.predict(table).to_pandas()[["sensor", "time", "mean", "q05", "q95"]].head())
print(f"share of the best naive forecast's error saved: {forecaster.score(table):.1%}")

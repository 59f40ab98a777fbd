"""How good is it? Forecasts of past days, compared with simple rules and other strategies."""

import citytune as ct

frame = ct.read(ct.sample("energy"), target="household", unit="kW", country="FR")
frame = frame.since(len(frame) - 90 * 24)  # the last 90 days

# Nothing after `today` is seen by either model; the week after it is what they are scored on.
today = len(frame) - 7 * 24
tuned = ct.tune(frame.until(today), horizon=24, backbone="lags")
scores = ct.backtest(tuned, frame, against=["naive-day", "naive-week", "lag-ridge"])
print(scores)
print(f"share of the error saved against last week's values: {scores.skill('naive-week'):.1%}")

head = ct.tune(frame.until(today), horizon=24, backbone="lags", strategy="head")
for name, model in {"blend": tuned, "head": head}.items():
    found = ct.backtest(model, frame, against=["naive-week"]).models["tuned"]
    print(f"{name:6s} mean error {found['mae']:.3f} kW, coverage {found['coverage_90']:.0%}")

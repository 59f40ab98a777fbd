"""From a file to a forecast with intervals, on the bundled traffic sample."""

import citytune as ct

frame = ct.read(ct.sample("traffic"), timezone="America/Chicago", country="US-MN")
print(frame)
for fault in frame.faults:  # what was guessed, mended, or looks wrong
    print("-", fault)

model = ct.tune(frame, horizon=24)  # the best pretrained model at hand, tuned by `blend`
print(model)
for sentence in model.words():
    print("-", sentence)

forecast = model.forecast(frame)
print(forecast)
print(forecast.to_polars().select("time", "mean", "q05", "q95").head(3))
forecast.write_csv("forecast.csv")

model.save("runs/traffic")
again = ct.load("runs/traffic").forecast(frame)
assert (again.mean == forecast.mean).all()

"""A backtest is out of sample, fair to every model, and says what it found in plain words."""

import datetime as dt
import json
import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

import citytune.forecasting
from citytune._errors import InputError, RunError, UnknownName
from citytune.evaluation import NAIVE, WORDS, Detail, Scores, backtest, baselines
from citytune.evaluation._holdout import plan, walk
from citytune.evaluation._intervals import calibration_origins, intervals
from citytune.forecasting import Prediction, fit_model
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.windows import WindowSpec

LEVELS = citytune.forecasting.LEVELS
HOUR = dt.timedelta(hours=1)
QUICK = ("naive-day", "naive-week")


def town(days=42, *, step=HOUR, sensors=3, gaps=0.1, noise=4.0, timezone="Europe/Oslo", seed=0):
    rng = np.random.default_rng(seed)
    clock = Clock(dt.datetime(2024, 3, 4), step, timezone)
    local = clock.local(0, round(days * dt.timedelta(days=1) / step))
    hour = (local - local.astype("datetime64[D]")) / np.timedelta64(1, "h")
    values = 100 + 60 * np.sin(hour[:, None] / 24 * 2 * np.pi + np.arange(sensors))
    values = (values + rng.normal(0, noise, values.shape)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    names = tuple(f"s{i}" for i in range(sensors))
    return SensorFrame(values, clock, names, Quantity("traffic_volume", "veh/h", low=0.0))


@dataclass
class Seer:
    """A stand-in for a tuned model: it knows the truth and misses it by `bias`."""

    truth: SensorFrame
    horizon: int = 24
    bias: float = 1.0
    strategy: str = "blend"
    trained: int = 0
    can_forecast: bool = True
    covariates: tuple = ()
    country: str | None = None
    learnt: dict = field(default_factory=dict)
    rare: None = None
    notes: tuple = ()
    asked: list = field(default_factory=list)

    @property
    def spec(self):
        return WindowSpec(context=48, horizon=self.horizon)

    @property
    def card(self):
        return SimpleNamespace(name="seer", horizon=96 if self.can_forecast else None)

    @property
    def sensors(self):
        return self.truth.sensors

    @property
    def clock(self):
        return self.truth.clock

    @property
    def quantity(self):
        return self.truth.quantity

    @property
    def trained_until(self):
        return self.truth.clock.moments((self.trained or len(self.truth)) - 1, 1)[0]

    def predict(self, frame, origins):
        self.asked.append((frame, list(origins)))
        steps = np.array(origins)[:, None] + np.arange(self.horizon)
        mean = np.nan_to_num(self.truth.values, nan=50.0)[steps] + np.float32(self.bias)
        spread = np.array([20 * (level - 0.5) for level in LEVELS], np.float32)
        return Prediction(mean, mean, mean[..., None] + spread)


@pytest.fixture
def fits(monkeypatch):
    """Replace fitting by a stand-in that remembers what it was shown; zero-shot misses by 2."""
    calls = []

    def refit(model, frame, *, strategy, progress):
        strategy = strategy or model.strategy
        progress("fitting", 0.5)
        calls.append((strategy, len(frame)))
        return replace(
            fits_of["model"], strategy=strategy, bias=2.0 if strategy == "zero-shot" else 1.0
        )

    fits_of = {}
    monkeypatch.setattr(citytune.forecasting, "refit", refit)

    def run(model, frame, **options):
        fits_of["model"] = model
        options.setdefault("against", QUICK)
        return backtest(model, frame, **options)

    run.calls = calls
    return run


# --- what is scored ---------------------------------------------------------------------------


def test_every_model_is_measured_by_plain_means(fits):
    frame = town()
    scores = fits(Seer(frame), frame)
    assert list(scores.models) == ["tuned", "zero-shot", *QUICK]
    assert scores.models["tuned"]["mae"] == pytest.approx(1, rel=1e-4)
    assert scores.models["tuned"]["rmse"] == pytest.approx(1, rel=1e-4)
    assert scores.models["tuned"]["coverage_90"] == 1
    assert scores.models["tuned"]["width_90"] == pytest.approx(18, rel=1e-4)
    assert scores.models["zero-shot"]["mae"] == pytest.approx(2, rel=1e-4)
    assert scores.skill("zero-shot") == pytest.approx(0.5, rel=1e-4)
    known = np.isfinite(scores.detail.actual)
    error = np.abs(scores.detail.points["naive-day"] - scores.detail.actual)[known]
    assert scores.models["naive-day"]["mae"] == pytest.approx(error.mean(), rel=1e-5)


def test_nothing_is_fitted_on_the_holdout(fits):
    frame = town()
    scores = fits(Seer(frame), frame)
    start = int(scores.detail.origin_index[0])
    assert scores.refitted
    assert fits.calls == [("blend", start), ("zero-shot", start)]
    assert start == len(frame) - len(frame) // 4
    assert scores.holdout_start == frame.clock.text(start)
    assert scores.detail.origin_index.tolist() == list(range(start, len(frame) - 23, 24))


def test_a_long_history_holds_out_two_weeks(fits):
    frame = town(100)
    scores = fits(Seer(frame), frame)
    assert (scores.origins, scores.days) == (14, 14)
    assert scores.sentence("naive-week").startswith("On 14 test days, ")


def test_rows_that_came_after_training_are_scored_without_a_fit(fits):
    frame = town()
    model = Seer(frame, trained=700)
    scores = fits(model, frame)
    assert not scores.refitted
    assert fits.calls == [("zero-shot", 700)]
    assert int(scores.detail.origin_index[0]) == 700
    assert model.asked[0][1] == scores.detail.origin_index.tolist()


def test_refitting_each_week_sees_only_what_lies_before_that_week(fits):
    frame = town(60)
    scores = fits(Seer(frame), frame, refit=True, days=21)
    start = len(frame) - 21 * 24
    weeks = [start, start + 168, start + 336]
    assert fits.calls == [("blend", w) for w in weeks] + [("zero-shot", w) for w in weeks]
    assert scores.origins == 21
    assert scores.detail.points["naive-week"].shape == (21, 24, 3)


def test_without_refitting_rows_seen_in_training_are_refused(fits):
    frame = town()
    with pytest.raises(InputError, match=r"fitted on.*bring newer rows, or let it be refitted"):
        fits(Seer(frame), frame, refit=False)
    with pytest.raises(InputError, match=r"30 days reach back to 2024-03-16.*score fewer days"):
        fits(Seer(frame, trained=900), frame, refit=False, days=30)


def test_a_file_that_begins_after_the_training_first_gives_a_past(fits):
    frame = town(80)
    model = Seer(frame, trained=24 * 40)
    newer = frame.since(24 * 50)
    other = replace(model, truth=newer)
    other.__class__ = type("Older", (Seer,), {"trained_until": model.trained_until})
    scores = fits(other, newer)
    assert int(scores.detail.origin_index[0]) == 7 * 24
    assert not scores.refitted


def test_very_much_new_is_scored_on_its_end(fits):
    frame = town(120)
    scores = fits(Seer(frame, trained=24 * 30), frame)
    assert scores.days == 56
    assert "scored on the last 56 days; pass days= for more" in scores.notes


def test_all_are_measured_where_all_have_a_forecast(fits, monkeypatch):
    frame = town(gaps=0)

    def forgetful(frame, origins, horizon, train_end):
        mean = baselines["naive-week"](frame, origins, horizon, train_end)
        mean[:, :12] = np.nan
        return mean

    monkeypatch.setitem(baselines, "naive-day", forgetful)
    model = Seer(frame)
    scores = fits(model, frame)
    error = np.abs(scores.detail.points["naive-week"] - scores.detail.actual)
    assert scores.models["naive-week"]["mae"] == pytest.approx(error[:, 12:].mean(), rel=1e-5)


def test_a_disturbed_future_changes_no_forecast_made_before(fits):
    frame = town()
    today = 900
    values = frame.values.copy()
    values[today:] = 9999
    disturbed = replace(frame, values=values)
    every = tuple(name for name in baselines if name != "boosting")
    one, other = (
        fits(Seer(frame, trained=700), f, against=every).detail for f in (frame, disturbed)
    )
    before = one.origin_index <= today
    assert before.sum() > 5
    for name in every:
        np.testing.assert_array_equal(one.points[name][before], other.points[name][before])


def test_a_model_used_as_pretrained_is_its_own_zero_shot(fits):
    frame = town()
    scores = fits(Seer(frame, strategy="zero-shot", trained=700), frame)
    assert fits.calls == []
    assert scores.models["zero-shot"] == scores.models["tuned"]


def test_what_stands_for_a_backbone_that_cannot_forecast_is_said(fits):
    frame = town()
    scores = fits(Seer(frame, can_forecast=False), frame)
    assert scores.models["zero-shot"]["mae"] == pytest.approx(2, rel=1e-4)
    assert "Seer cannot forecast by itself; zero-shot is the best seasonal rule" in str(scores)


def test_what_is_known_ahead_is_said_to_be_hindsight(fits):
    frame = town()
    known = {name: np.zeros((len(frame), 1), np.float32) for name in ("temperature", "rain")}
    frame = replace(frame, covariates=known)
    scores = fits(Seer(frame, covariates=("temperature", "rain")), frame)
    assert any("(temperature, rain) was taken as it came true" in note for note in scores.notes)


def test_sensors_are_put_in_the_models_order_and_others_left_out(fits):
    frame = town(sensors=3)
    shuffled = frame.select(("s2", "s0", "s1"))
    more = replace(
        shuffled,
        values=np.concatenate([shuffled.values, shuffled.values[:, :1]], axis=1),
        sensors=(*shuffled.sensors, "new"),
    )
    scores = fits(Seer(frame), more)
    assert scores.detail.frame.sensors == frame.sensors
    assert scores.models["tuned"]["mae"] == pytest.approx(1, rel=1e-4)
    assert "table has 1 sensor new to the model: 'new'; not scored" in scores.notes


def test_missing_sensors_or_another_clock_are_refused_by_name(fits):
    frame = town()
    with pytest.raises(RunError, match="has none of the model's 3 sensors: 's0', 's1', 's2'; gi"):
        fits(Seer(frame), replace(frame, sensors=("a", "b", "c")))
    with pytest.raises(RunError, match="a row every 15min, but the model was tuned on 1h"):
        fits(Seer(frame), town(step=dt.timedelta(minutes=15)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"days": 0}, "must be a positive number"),
        ({"days": math.nan}, "must be a positive number"),
        ({"days": 42}, "hold out fewer days"),
        ({"refit": "sometimes"}, "refit must be"),
        ({"against": ["naive-dya"]}, "Did you mean 'naive-day'"),
    ],
)
def test_foolish_wishes_are_answered_in_words(fits, options, says):
    frame = town()
    with pytest.raises(InputError, match=says):
        fits(Seer(frame), frame, **options)


def test_a_file_too_short_to_hold_anything_out_says_how_much_it_needs(fits):
    frame = town(1.5)
    with pytest.raises(InputError, match=r"has 36 rows.*needs at least 48"):
        fits(Seer(frame), frame)


def test_an_empty_end_cannot_be_scored(fits):
    frame = town()
    values = frame.values.copy()
    values[700:] = np.nan
    with pytest.raises(InputError, match="nothing was measured from 2024-04-04 14:00 on"):
        fits(Seer(frame), replace(frame, values=values))


def test_progress_only_grows_and_ends_at_one(fits):
    seen = []
    frame = town()
    fits(Seer(frame), frame, refit=True, progress=lambda stage, share: seen.append((stage, share)))
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert "refitting: fitting" in [stage for stage, _ in seen]


@pytest.mark.parametrize(("days", "step", "horizon"), [
    (42, HOUR, 1), (42, HOUR, 336), (200, 24 * HOUR, 7), (200, 24 * HOUR, 1),
    (21, HOUR / 12, 12), (21, HOUR / 4, 96), (60, 7 * HOUR, 3),
])  # fmt: skip
def test_any_clock_and_horizon_can_be_scored(fits, days, step, horizon):
    frame = town(days, step=step, sensors=2)
    scores = fits(Seer(frame, horizon=horizon), frame, against=(*NAIVE, "lag-ridge"))
    for found in scores.models.values():
        assert math.isfinite(found["mae"])
    assert scores.detail.points["lag-ridge"].shape == (scores.origins, horizon, 2)


# --- a real model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tuned():
    """A model without pretrained weights, tuned to the first 46 of 60 days."""
    frame = town(60, sensors=4, noise=10)
    return fit_model(frame.until(46 * 24), horizon=24, backbone="lags"), frame


def test_a_tuned_model_is_scored_on_all_that_came_after(tuned):
    model, frame = tuned
    scores = backtest(model, frame, against=(*NAIVE, "lag-ridge"))
    assert not scores.refitted
    assert (scores.origins, scores.days) == (14, 14)
    best = min(scores.models[name]["mae"] for name in NAIVE)
    assert scores.models["tuned"]["mae"] < 1.02 * best
    for found in scores.models.values():
        assert 0.82 <= found["coverage_90"] <= 0.96


def test_a_tuned_model_sees_nothing_of_what_it_forecasts(tuned):
    model, frame = tuned
    today = 50 * 24
    values = frame.values.copy()
    values[today:] = 999
    one, other = (
        backtest(model, f, against=()).detail for f in (frame, replace(frame, values=values))
    )
    before = one.origin_index <= today
    assert 4 <= before.sum() < len(before)
    np.testing.assert_allclose(
        one.points["tuned"][before], other.points["tuned"][before], rtol=1e-5
    )
    np.testing.assert_allclose(one.quantiles[before], other.quantiles[before], rtol=1e-5)


def test_a_tuned_model_can_be_refitted_on_what_lies_before_the_holdout(tuned):
    model, frame = tuned
    scores = backtest(model, frame.until(46 * 24), days=7, refit=True, against=["naive-week"])
    assert scores.refitted
    assert scores.skill("naive-week") > 0


# --- when forecasts are made ------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 6, 8, 11, 12])
@pytest.mark.parametrize("minutes", [60, 15, 5])
def test_a_short_horizon_is_scored_at_every_hour_of_the_day(horizon, minutes):
    day = 1440 // minutes
    horizon = horizon * 60 // minutes
    stride = walk(14 * day, horizon, day, 56)
    seen = {(o + h) % day for o in range(0, 14 * day - horizon + 1, stride) for h in range(horizon)}
    assert {step * minutes // 60 for step in seen} == set(range(24))


@pytest.mark.parametrize("sensors", [1, 24, 500])
def test_many_sensors_are_scored_at_fewer_moments(sensors):
    frame = town(56, sensors=sensors)
    found = plan(frame, horizon=1, seen=len(frame), days=None, refit="auto")
    assert 14 <= len(found.origins) <= 60
    assert len(found.origins) * sensors <= max(4500, 15 * sensors)


@pytest.mark.parametrize("horizon", [1, 6, 24, 48, 168])
def test_no_moment_beyond_the_file_is_asked_for(horizon):
    frame = town()
    for refit in (True, "auto"):
        found = plan(frame, horizon=horizon, seen=len(frame), days=None, refit=refit)
        assert found.origins.max() + horizon <= len(frame)
        assert (np.diff(found.origins) > 0).all()
        for block in found.blocks:
            assert block.train_end <= block.origins.min()


# --- intervals of baselines -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["naive-day", "naive-weeks4", "lag-ridge"])
def test_a_baselines_intervals_cover_what_they_promise(name):
    frame = town(90, sensors=4, noise=10)
    origins = np.arange(76 * 24, 89 * 24, 24)
    mean = baselines[name](frame, origins.tolist(), 24, 76 * 24)
    found = intervals(baselines[name], mean, frame, origins, 76 * 24)
    actual = frame.values[origins[:, None] + np.arange(24)]
    known = np.isfinite(actual)
    inside = (actual >= found[..., 0]) & (actual <= found[..., -1])
    assert 0.86 <= inside[known].mean() <= 0.94
    assert (np.diff(found, axis=-1) >= 0).all()
    assert found.min() >= 0  # no negative cars


def test_intervals_never_look_beyond_the_training():
    frame = town(60)
    values = frame.values.copy()
    values[1000:] = 9999
    origins = np.array([1000, 1024])
    mean = np.zeros((2, 24, 3), np.float32)
    one, other = (
        intervals(baselines["naive-day"], mean, f, origins, 1000)
        for f in (frame, replace(frame, values=values))
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("horizon", [1, 6, 24, 48, 168])
@pytest.mark.parametrize("end", [30, 168, 500, 1400])
def test_errors_are_looked_at_late_in_the_training_and_after_a_past(horizon, end):
    found = calibration_origins(town(60), horizon, end)
    assert found == sorted(set(found))
    for origin in found:
        assert max(24, horizon) <= origin <= end - horizon
    if end >= 4 * max(horizon, 24):
        assert found


def test_too_little_training_gives_a_baseline_no_intervals(fits):
    frame = town(3)
    scores = fits(Seer(frame, horizon=30, trained=40), frame)
    assert math.isnan(scores.models["naive-day"]["coverage_90"])
    assert math.isfinite(scores.models["naive-day"]["mae"])
    assert scores.summary()["models"]["naive-day"]["wql"] is None


# --- scores -----------------------------------------------------------------------------------


def scores_of(errors, *, horizon=24, origins=(0, 24), step=HOUR):
    frame = town(5, step=step, sensors=1)
    cube = np.zeros((len(origins), horizon, 1), np.float32)
    detail = Detail(
        cube, dict.fromkeys(errors, cube), np.zeros((*cube.shape, len(LEVELS)), np.float32),
        np.array(origins), frame,
    )  # fmt: skip
    metrics = ("mae", "rmse", "mase", "wql", "coverage_90", "width_90")
    models = {name: dict.fromkeys(metrics, float(error)) for name, error in errors.items()}
    return Scores(models, "2024-03-04 00:00", "2024-03-05 23:00", len(origins), detail)


def test_the_sentence_compares_with_the_best_naive_of_hindsight():
    scores = scores_of({"tuned": 69, "naive-day": 120, "naive-week": 100})
    assert scores.best_naive == "naive-week"
    assert scores.skill("naive-week") == pytest.approx(0.31)
    assert scores.sentence() == (
        "On 2 test days, the tuned model's mean error was 31 % lower than that of "
        "last week's values."
    )
    worse = scores_of({"tuned": 112, "naive-day": 100})
    assert worse.sentence() == (
        "On 2 test days, the tuned model's mean error was 12 % higher than that of "
        "yesterday's values."
    )


def test_it_is_said_too_when_the_pretrained_model_was_better():
    scores = scores_of({"tuned": 69, "zero-shot": 60, "naive-week": 100})
    worse = "It has 15 % higher error than the pretrained model without fine-tuning."
    assert scores.zero_shot_sentence() == worse
    assert str(scores).splitlines()[0].endswith(f"last week's values. {worse}")
    alone = scores_of({"tuned": 69, "zero-shot": 60})
    assert alone.zero_shot_sentence() == ""
    assert "14 % " not in str(alone).splitlines()[0]
    assert "15 % higher" in str(alone).splitlines()[0]
    assert scores_of({"tuned": 69, "naive-week": 100}).zero_shot_sentence() == ""


def test_scores_are_one_line_by_themselves_and_a_table_in_print():
    scores = scores_of({"tuned": 69, "naive-week": 100})
    assert repr(scores) == (
        "Scores(tuned, naive-week; 2 forecasts from 2024-03-04 00:00 to 2024-03-05 23:00; "
        "tuned mae 69.0 veh/h)"
    )
    assert str(scores).count("\n") > 3


def test_a_difference_too_small_to_matter_is_called_the_same():
    scores = scores_of({"tuned": 99.5, "naive-day": 100})
    assert scores.sentence() == (
        "On 2 test days, the tuned model's mean error was about the same as that of "
        "yesterday's values."
    )


def test_without_a_naive_rival_the_pretrained_model_is_the_measure():
    scores = scores_of({"tuned": 50, "zero-shot": 100}, origins=(0,), horizon=3)
    assert scores.best_naive is None
    said = (
        "On 3 test hours, the tuned model's mean error was 50 % lower than that of the pretrained "
        "model without fine-tuning."
    )
    assert scores.sentence() == said


def test_nothing_to_compare_with_is_said_and_not_divided_by():
    for rival in (0, math.nan):
        scores = scores_of({"tuned": 1, "naive-day": rival})
        assert math.isnan(scores.skill("naive-day"))
        assert scores.sentence("naive-day").endswith("to compare with yesterday's values.")


def test_an_unknown_rival_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'naive-day'"):
        scores_of({"tuned": 1, "naive-day": 2}).skill("naive-dya")


def test_days_count_overlapping_moments_once():
    assert scores_of({"tuned": 1}, horizon=48, origins=(0, 24)).days == 3


def test_the_summary_is_plain_json_without_nan():
    scores = scores_of({"tuned": 1.5, "naive-day": math.nan})
    summary = json.loads(json.dumps(scores.summary(), allow_nan=False))
    holdout = {"start": "2024-03-04 00:00", "end": "2024-03-05 23:00", "origins": 2}
    assert summary["holdout"] == holdout
    assert summary["models"]["tuned"]["mae"] == 1.5
    assert summary["models"]["naive-day"]["width_90"] is None


def test_printed_scores_are_a_table_in_words():
    text = str(scores_of({"tuned": 1234.5, "naive-week": 0.012345, "naive-day": math.nan}))
    lines = text.splitlines()
    assert lines[0].startswith("traffic volume in veh/h: ")
    assert "2 forecasts" in lines[1]
    assert lines[2].split() == ["mae", "rmse", "mase", "wql", "coverage_90", "width_90"]
    assert "1,234" in lines[3] or "1,235" in lines[3]
    assert "0.01235" in lines[4] or "0.01234" in lines[4]
    assert "–" in lines[5]


def test_every_model_has_a_name_in_words():
    assert set(WORDS) == {"tuned", "tuned-plain", "zero-shot", *baselines}
    assert set(NAIVE) <= set(baselines)


def test_absolute_errors_are_of_the_point_and_squared_ones_of_the_mean(fits):
    class Skewed(Seer):
        def predict(self, frame, origins):
            found = super().predict(frame, origins)
            return found._replace(mean=found.mean + np.float32(4))

    frame = town(gaps=0.0)
    found = fits(Skewed(frame, trained=700), frame, refit=False).models["tuned"]
    assert found["mae"] == pytest.approx(1, rel=1e-4)
    assert found["rmse"] == pytest.approx(5, rel=1e-4)

"""Promise: pictures are read rightly or refused in words, and never worse than none."""

from __future__ import annotations

import datetime as dt
import http.server
import importlib.util
import io
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import stills
import torch
from torch import Tensor, nn

import citytune as ct
from citytune.backbones import eye_of, missing
from citytune.cli import main
from citytune.tuning import RidgePath, Statistics
from citytune.vision import ARTICLE, STEPS, Readings, report, watch
from citytune.vision._learn import Examples, cross_fit, fit_exact, head_data_of
from citytune.vision._picture import decode, look_at
from citytune.vision._poisson import deviance, minima
from citytune.vision._steps import free_copy
from citytune.vision._target import Target
from citytune.vision._usual import Usual

Image = pytest.importorskip("PIL.Image", reason="pillow (extra vision) is not installed")
SIDE = 64


class Small(nn.Module):
    """A network of fixed random filters, as one of timm looks from outside."""

    num_prefix_tokens = 0
    pretrained_cfg = {  # noqa: RUF012 - as timm has it
        "architecture": "small", "input_size": (3, SIDE, SIDE), "mean": (0.5, 0.5, 0.5),
        "std": (0.25, 0.25, 0.25),
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU())
            self.second = nn.Sequential(nn.Conv2d(16, 48, 3, 2, 1), nn.ReLU())
            self.head = nn.Linear(48, 1000)

    def forward_features(self, colours: Tensor) -> Tensor:
        return self.second(self.first(colours))

    def forward(self, colours: Tensor) -> Tensor:
        return self.head(self.forward_features(colours).mean((2, 3)))


@pytest.fixture(scope="module")
def frame() -> ct.PictureFrame:
    return ct.read_pictures(stills.table(), target="vehicles")


@pytest.fixture(scope="module")
def model(frame: ct.PictureFrame) -> ct.VisionModel:
    return ct.tune_vision(frame, backbone=Small())


def png(array: Any) -> bytes:
    data = io.BytesIO()
    Image.fromarray(array).save(data, "PNG")
    return data.getvalue()


# Reading


def test_a_table_of_bytes_is_understood(frame: ct.PictureFrame) -> None:
    assert len(frame) == 4 * 3 * 8
    assert frame.places[0] == "north"
    assert frame.groups[0] == "north 2024-03-04"  # a camera's day
    assert len(set(frame.groups)) == 12
    assert frame.names[0] == "north_2024-03-04T06-00.jpg"
    assert repr(frame).startswith("PictureFrame(96 pictures of 4 places, 12 groups")


def test_a_table_of_pandas_holds_bytes_plainly_or_next_to_their_names(
    frame: ct.PictureFrame,
) -> None:
    table = stills.table(1, 1)
    plain = table.drop("file").to_pandas()  # the pictures are objects there
    found = ct.read_pictures(plain, target="vehicles")
    assert found.pictures == ct.read_pictures(table, target="vehicles").pictures
    plain["jpeg"] = [{"bytes": one, "path": None} for one in plain["jpeg"]]
    assert ct.read_pictures(plain, target="vehicles").pictures == found.pictures


def test_columns_may_be_called_as_we_call_our_own(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(stills.jpeg(stills.road(3, 0)))
    rows = {"cell": ["a.jpg"], "number": ["4"], "_time": ["2024-03-04 08:10"], "row": ["A5"]}
    table = pl.DataFrame(rows)
    table.write_csv(tmp_path / "labels.csv")
    table.with_columns(cell=pl.lit(str(tmp_path / "a.jpg"))).write_parquet(tmp_path / "l.parquet")
    for name in ("labels.csv", "l.parquet"):
        found = ct.read_pictures(tmp_path / name, target="number", place="row")
        assert found.values is not None
        assert found.values.tolist() == [4.0]
        assert found.times is not None
        assert found.times.tolist() == [dt.datetime(2024, 3, 4, 8, 10)]
        assert found.groups == ("A5 2024-03-04",)


def test_a_cell_that_holds_a_picture_as_text_is_not_told_whole() -> None:
    cells = [str(one) for one in stills.table(1, 1)["jpeg"]]
    with pytest.raises(ct.TableError, match=r"cannot be used") as found:
        ct.read_pictures(pl.DataFrame({"cell": cells}), picture="cell")
    assert "it is broken (File name too long): 4 pictures, …" in str(found.value)
    assert len(str(found.value)) < 1000


def test_labels_of_0_and_1_may_be_of_several_kinds(frame: ct.PictureFrame) -> None:
    assert frame.values is not None
    jams = replace(frame, values=(frame.values > 6).astype(float))
    with pytest.raises(ct.InputError, match="are 0 or 1, which may be counts, shares or two clas"):
        ct.tune_vision(jams, backbone=Small())
    assert jams.values is not None
    assert Target.of("jam", jams.values, "class", "identity").classes == ("0", "1")


def test_every_fault_of_a_table_is_told_at_once(tmp_path: Path) -> None:
    good = stills.jpeg(stills.road(3, 0))
    (tmp_path / "good.jpg").write_bytes(good)
    (tmp_path / "cut.jpg").write_bytes(good[: len(good) // 2])
    (tmp_path / "cut2.jpg").write_bytes(good[: len(good) // 2])
    (tmp_path / "words.png").write_text("no picture at all")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("1", (9_000, 9_000)).save(tmp_path / "bomb.png")
    files = ["good.jpg", "cut.jpg", "cut2.jpg", "words.png", "empty.jpg", "bomb.png", "gone.jpg"]
    rows = pl.DataFrame({"file": files, "count": ["3", "1", None, "x", "5", "6", "7"]})
    rows.write_csv(tmp_path / "labels.csv")
    with pytest.raises(ct.TableError) as found:
        ct.read_pictures(tmp_path / "labels.csv", target="count")
    said = str(found.value)
    assert "is broken" in said
    assert "2 pictures, cut.jpg and cut2.jpg" in said
    assert "no picture (JPEG" in said
    assert "it is empty: 1 picture, empty.jpg" in said
    assert "9,000 × 9,000 pixels" in said
    assert "it is not there: 1 picture, gone.jpg" in said
    assert "there is no label in column 'count': 1 picture, cut2.jpg" in said
    assert "is no number: 1 picture, words.png" in said
    left = ct.read_pictures(tmp_path / "labels.csv", broken="skip")
    assert left.names == ("good.jpg",)
    assert any("gone.jpg" in note for note in left.notes)


def test_pictures_without_labels_cannot_be_learnt_from(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(stills.jpeg(stills.road(3, 0)))
    with pytest.raises(ct.InputError, match="read without labels; read it with target="):
        ct.tune_vision(ct.read_pictures(tmp_path))
    labels = pl.DataFrame({"picture": [str(tmp_path / "a.jpg")], "n": [1.0]})
    one = ct.read_pictures(labels, target="n")
    twice = replace(one.pick([0, 0]), values=np.array([1.0, 2.0]))
    with pytest.raises(ct.InputError, match="needs 3 or more"):
        ct.tune_vision(twice, backbone=Small())


def test_an_empty_folder_and_a_table_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ct.InputError, match="there are no pictures in"):
        ct.read_pictures(tmp_path)
    with pytest.raises(ct.InputError, match="no column of pictures"):
        ct.read_pictures(pl.DataFrame({"a": [1], "b": ["x"]}))
    with pytest.raises(ct.UnknownName, match="Did you mean 'vehicles'"):
        ct.read_pictures(stills.table(2, 1), target="vehicle")


def test_one_picture_and_a_bomb_are_answered_in_words(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", size), (b"IDAT", zlib.compress(b"0" * 1000)), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in parts
        )
    )
    with pytest.raises(ct.InputError, match="is one picture: name the folder it is in"):
        ct.read_pictures(path)
    with pytest.raises(ct.InputError, match=r"too large .more pixels than are ever unpacked; 64,"):
        ct.read_pictures(tmp_path)


def test_a_folder_tells_places_times_and_classes(tmp_path: Path) -> None:
    for name in ("jam/a_20240304-0810.jpg", "free/b 2024-03-05 09.30.15.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(stills.jpeg(stills.road(3, 0)))
    found = ct.read_pictures(tmp_path)
    assert found.places == ("free", "jam")
    assert found.times is not None
    assert found.times.tolist() == [
        dt.datetime(2024, 3, 5, 9, 30, 15), dt.datetime(2024, 3, 4, 8, 10),
    ]  # fmt: skip
    classes = ct.read_pictures(tmp_path, target="folder")
    assert classes.values is not None
    assert classes.values.tolist() == ["free", "jam"]
    assert set(classes.places) == {tmp_path.name}


def test_the_camera_writes_the_time_into_a_picture(tmp_path: Path) -> None:
    image = stills.road(3, 0)
    exif = image.getexif()
    exif[306] = "2024:03:31 14:05:06"
    image.save(tmp_path / "IMG_1.jpg", exif=exif)
    found = ct.read_pictures(tmp_path, timezone=None)
    assert found.times is not None
    assert found.times.tolist() == [dt.datetime(2024, 3, 31, 14, 5, 6)]


def test_times_of_a_zone_are_hours_on_the_wall() -> None:
    rows = stills.table(2, 1).with_columns(pl.lit("2024-07-01T06:00:00Z").alias("time"))
    found = ct.read_pictures(rows, timezone="Europe/Oslo")
    hours = found.hours()
    assert hours is not None
    assert set(hours.tolist()) == {8}


def test_times_in_names_are_on_the_wall_of_the_zone_or_of_utc(tmp_path: Path) -> None:
    def stand(*names: str) -> None:
        for path in tmp_path.iterdir():
            path.unlink()
        for name in names:
            (tmp_path / name).write_bytes(stills.jpeg(stills.road(3, 0)))

    def read(zone: str | None) -> list[str]:
        return [moment.isoformat() for moment in ct.read_pictures(tmp_path, timezone=zone).wall()]

    stand("a_20240701-0600.jpg")
    assert read(None) == ["2024-07-01T06:00:00"]
    assert read("Europe/Oslo") == ["2024-07-01T06:00:00+02:00"]
    with pytest.raises(ct.UnknownName, match="time zone"):
        read("Europe/Olso")
    stand("a_2024-07-01T06-00-00Z.jpg")
    assert read(None) == ["2024-07-01T06:00:00+00:00"]
    assert read("Europe/Oslo") == ["2024-07-01T08:00:00+02:00"]
    stand("a_2024-07-01T06-00-00Z.jpg", "a_2024-07-01T07-00-00.jpg")
    with pytest.raises(ct.TableError, match=r"not said to be of UTC .* a_2024-07-01T07-00-00.jpg"):
        read("Europe/Oslo")
    stand("a_20240331-0230.jpg", "a_20240331-0330.jpg")
    with pytest.raises(ct.TableError, match=r"clock of Europe/Oslo skips its time: 1 picture, a_2"):
        read("Europe/Oslo")


# Colours


def test_grey_pictures_become_three_equal_colours() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    colours = decode(png(grey), 8)
    np.testing.assert_array_equal(colours, np.repeat(grey[..., None], 3, 2))
    assert look_at(png(grey)).kind == "grey"


def test_sixteen_bits_are_divided_and_not_cut_off() -> None:
    deep = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)
    colours = decode(png(deep), 8)
    np.testing.assert_allclose(colours[..., 0], deep / 257, atol=0.51)
    assert look_at(png(deep)).kind == "16-bit"


def test_numbers_of_32_bits_are_no_colours(tmp_path: Path) -> None:
    for top, fault in ((60_000, ""), (6_300_000, "more than 16 bits"), (-3, "more than 16 bits")):
        data = io.BytesIO()
        Image.fromarray(np.full((8, 8), top, np.int32)).save(data, "TIFF")
        assert fault in look_at(data.getvalue()).fault
        assert bool(fault) is bool(look_at(data.getvalue()).fault)
    (tmp_path / "a.jpg").mkdir()
    assert look_at(tmp_path / "a.jpg").fault == "it is a folder"


def test_cmyk_is_converted_to_the_colours_that_were_meant() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 40))
    data = io.BytesIO()
    red.convert("CMYK").save(data, "JPEG", quality=95)
    colours = decode(data.getvalue(), 16)
    assert np.abs(colours.mean((0, 1)) - (200, 30, 40)).max() < 6
    assert look_at(data.getvalue()).kind == "CMYK"


def test_a_picture_that_lies_on_its_side_is_turned() -> None:
    image = Image.new("RGB", (32, 16), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 16, 16))  # white on the left
    exif = image.getexif()
    exif[274] = 6  # to be turned clockwise
    data = io.BytesIO()
    image.save(data, "PNG", exif=exif)
    colours = decode(data.getvalue(), 16)
    assert colours[:6].mean() > 240 > 15 > colours[10:].mean()  # white is on top


def test_other_sizes_are_resized_whole() -> None:
    image = Image.new("RGB", (300, 100), (255, 0, 0))
    image.paste((0, 0, 255), (150, 0, 300, 100))
    colours = decode(stills.jpeg(image), 10)
    assert colours.shape == (10, 10, 3)
    assert colours[5, 1, 0] > 200 > 50 > colours[5, 8, 0]  # both halves are still there


# Learning


def test_pictures_are_counted_better_than_by_the_mean(model: ct.VisionModel) -> None:
    errors = model.scores.errors
    assert errors["tuned"] < 0.6 * min(errors["mean"], errors["hour mean"])
    assert errors["nothing"] > errors["mean"]
    assert "less than" in model.words()
    assert len(model.scores.groups) == 12


def test_what_is_worse_than_the_mean_is_said_to_be(model: ct.VisionModel) -> None:
    worse = replace(model.scores, errors={**model.scores.errors, "tuned": 4.0, "mean": 3.2,
                                          "hour mean": 3.3})  # fmt: skip
    assert "25 % more than the mean of all" in worse.sentence()


def test_the_intervals_cover_what_they_promise(model: ct.VisionModel) -> None:
    assert 0.8 <= model.scores.coverage_90 <= 1
    assert 0 < model.scores.width_90 < 15


def test_without_anything_to_see_it_answers_what_is_usual(frame: ct.PictureFrame) -> None:
    rng = np.random.default_rng(5)
    by_group = {name: float(rng.normal(50, 10)) for name in dict.fromkeys(frame.groups)}
    values = np.array([by_group[name] + rng.normal(0, 0.5) for name in frame.groups])
    found = ct.tune_vision(replace(frame, values=values), backbone=Small())
    errors = found.scores.errors
    usual = min(errors["mean"], errors["hour mean"])
    assert errors["tuned"] <= 1.02 * usual
    assert found.share < 0.3
    assert "The pictures" in found.gated()
    assert "The pictures" in found.predict(frame).notes[-1]  # `citytune count` says its notes
    # The pictures of a group betray it, so that a random split sees what is not there.
    assert found.scores.random_split < usual


def test_the_exact_layer_is_the_minimum_and_the_loop_comes_near(frame: ct.PictureFrame) -> None:
    target = Target("n", "count")
    examples = examples_of(frame)
    exact = fit_exact(target, examples)
    loop = fit_exact(target, examples, by_steps=ARTICLE)
    usual = examples.usual(exact.usual)
    data = head_data_of(examples, (examples.values - usual) / exact.scale)
    sums = Statistics.of(
        exact.head.view(data.features), data.residual.double(), data.weight.double()
    )
    penalty = exact.head.penalty * len(frame)
    least = sums.objective(exact.head.weights, penalty)
    assert least == pytest.approx(sums.objective(RidgePath.of(sums).head(penalty), penalty))
    assert least <= sums.objective(loop.head.weights, penalty) < 1.001 * least


def examples_of(frame: ct.PictureFrame) -> Examples:
    from citytune.vision._features import features_of

    names = list(dict.fromkeys(frame.groups))
    assert frame.values is not None
    group = torch.tensor([names.index(one) for one in frame.groups])
    values = torch.from_numpy(frame.values)[:, None].double()
    seen = features_of(eye_of(Small()), frame.pictures)
    return Examples(seen, values, frame.places, None, group)


def test_no_group_is_answered_by_what_was_learnt_from_it(frame: ct.PictureFrame) -> None:
    examples = examples_of(frame)
    seen: list[tuple[set[int], set[int]]] = []

    def learn(train: Examples, _which: Tensor) -> Any:
        fit = fit_exact(Target("n", "count"), train)

        def answer(some: Tensor) -> Tensor:
            seen.append((set(train.group.tolist()), set(examples.group[some].tolist())))
            return fit.learnt(Target("n", "count"), examples.pick(some))

        return fit, answer

    found = cross_fit(Target("n", "count"), examples, examples.folds(20), learn)
    assert found.known.all()
    assert len(seen) == 12
    assert all(not train & test for train, test in seen)


def test_the_camera_s_hour_is_drawn_to_the_mean_where_there_is_little() -> None:
    values = torch.tensor([[10.0], [10.0], [2.0]], dtype=torch.float64)
    usual = Usual.fit(values, ("a", "a", "b"), torch.tensor([8, 8, 20]))
    mean = 22 / 3
    place = (20 + 3 * mean) / 5
    expected = (20 + 3 * place) / 5
    answer = usual.answer(("a", "unknown"), torch.tensor([8, 8]))
    assert answer[:, 0].tolist() == pytest.approx([expected, mean])


def test_classes_have_chances(frame: ct.PictureFrame) -> None:
    words = np.array(["jam" if n > 8 else "free" for n in frame.values], object)  # type: ignore[union-attr]
    found = ct.tune_vision(replace(frame, values=words, target="state"), backbone=Small())
    assert found.scores.errors["tuned"] < found.scores.errors["mean"]
    table = found.predict(frame).to_polars()
    assert {"p_free", "p_jam"} <= set(table.columns)
    total = table["p_free"] + table["p_jam"]
    np.testing.assert_allclose(total.to_numpy(), 1)
    assert set(table["state"].unique()) == {"free", "jam"}


def test_shares_stay_between_nothing_and_all(frame: ct.PictureFrame) -> None:
    values = np.clip(frame.values.astype(float) / 12, 0, 1)  # type: ignore[union-attr]
    found = ct.tune_vision(replace(frame, values=values), backbone=Small(), kind="share")
    table = found.predict(frame).to_polars()
    for name in ("vehicles", "q05", "q95"):
        assert table[name].is_between(0, 1).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "sums"}, "kind is one of"),
        ({"kind": "share"}, "a share lies in 0"),
        ({"kind": "value", "link": "log"}, "for counts"),
        ({"strategy": "heads"}, "Did you mean 'head'"),
        ({"backbone": "resnet500"}, "Did you mean 'resnet50'"),
        ({"backbone": 3}, "is a name, a file, or a Keras or torch network"),
        ({"backbone": nn.Linear(3, 3)}, "cannot be shown pictures|gives"),
        ({"folds": 1}, "needs 2 or more"),
    ],
)
def test_what_cannot_be_is_answered_in_words(
    frame: ct.PictureFrame, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ct.InputError, match=said):
        ct.tune_vision(frame, **{"backbone": Small()} | change)


def test_a_negative_number_among_counts_is_asked_about(frame: ct.PictureFrame) -> None:
    assert frame.values is not None
    values = frame.values.copy()
    values[3] = -1  # often stands for a missing one
    with pytest.raises(ct.InputError, match=r"fall to -1, and counts do not: take out .* kind="):
        ct.tune_vision(replace(frame, values=values), backbone=Small())


# Moving the network


def test_last_blocks_move_the_last_blocks_alone(frame: ct.PictureFrame, tmp_path: Path) -> None:
    network = Small()
    loop = replace(STEPS, epochs=4, rate=1e-3)
    found = ct.tune_vision(frame, backbone=network, strategy="last-blocks", loop=loop, folds=2)
    # Its parts are two convolutions, both of which are last ones here; the head is not asked.
    assert set(found.moved) == {f"net.{one}.0.{kind}" for one in ("first", "second")
                                for kind in ("weight", "bias")}  # fmt: skip
    assert found.scores.errors["tuned"] < found.scores.errors["mean"]
    found.save(tmp_path / "m")
    again = ct.load_vision(tmp_path / "m", backbone=Small())
    some = frame.pick(range(4))
    assert again.predict(some).table.equals(found.predict(some).table)
    torch.testing.assert_close(network.second[0].weight, Small().second[0].weight)  # a copy moved


# Keeping


def test_a_model_comes_back_as_it_was(
    model: ct.VisionModel, frame: ct.PictureFrame, tmp_path: Path
) -> None:
    model.save(tmp_path / "m")
    assert sorted(path.suffix for path in (tmp_path / "m").iterdir()) == [".json", ".safetensors"]
    with pytest.raises(ct.InputError, match="a network of your own, 'small'"):
        ct.load_vision(tmp_path / "m")
    again = ct.load_vision(tmp_path / "m", backbone=Small())
    some = frame.pick(range(5))
    assert again.predict(some).table.equals(model.predict(some).table)
    assert again.scores == model.scores
    other = Small()
    nn.init.zeros_(other.first[0].weight)
    with pytest.raises(ct.InputError, match="has other weights"):
        ct.load_vision(tmp_path / "m", backbone=other)


def test_a_damaged_model_is_refused(model: ct.VisionModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    facts = tmp_path / "m" / "pictures.json"
    facts.write_text(facts.read_text().replace('"scale":', '"scale": 1, "x":'))
    with pytest.raises(ct.RunError, match="is damaged"):
        ct.load_vision(tmp_path / "m", backbone=Small())
    with pytest.raises(ct.RunError, match="holds no model of pictures"):
        ct.load_vision(tmp_path)


def test_the_map_adds_up_to_the_answer(model: ct.VisionModel, frame: ct.PictureFrame) -> None:
    from citytune.vision._features import features_of, maps_of

    some = frame.pick(range(6))
    view, weights = model.head.view, model.head.weights
    layer = (view.basis @ weights[:-1]).T.expand(6, -1)
    maps = maps_of(model.loaded(), some.pictures, view.centre, layer)
    seen = features_of(model.loaded(), some.pictures)
    expected = (model.head.residual(seen).double() - weights[-1])[:, 0]
    torch.testing.assert_close(maps.mean((1, 2)), expected, rtol=1e-3, atol=1e-3)
    assert model.looked_at(some).shape == (6, SIDE, SIDE)


def test_a_claim_that_is_about_as_good_is_no_sign_of_leakage(model: ct.VisionModel) -> None:
    tuned = model.scores.errors["tuned"]
    said = [
        replace(model.scores, random_split=share * tuned).leakage() for share in (0.9, 0.97, 1.1)
    ]
    assert "asks for what was learnt" in said[0]
    assert said[1].endswith("which is hardly better here.")
    assert said[2].endswith("which is no better here.")


def test_the_page_says_what_a_random_split_would_have_claimed(
    model: ct.VisionModel, frame: ct.PictureFrame
) -> None:
    page = report(model, frame, made=dt.date(2024, 5, 1))
    assert "A random split of the pictures would have claimed" in page
    assert page.count("data:image/jpeg;base64,") == 6
    assert "http://" not in page.split("<script>")[0]


# Readings


def test_readings_go_straight_into_a_frame(
    model: ct.VisionModel, frame: ct.PictureFrame, tmp_path: Path
) -> None:
    found = model.predict(frame)
    assert isinstance(found, Readings)
    assert found.table.columns == ["sensor", "time", "vehicles", "q05", "q50", "q95"]
    assert (found.table["q05"] <= found.table["q95"]).all()
    path = found.write_csv(tmp_path / "flow.csv")
    flow = ct.read(path, target="vehicles")
    assert flow.sensors == tuple(sorted(stills.GROUND))
    assert np.nanmax(np.abs(flow.values[: 8, flow.sensors.index("north")] -
                            found.table.filter(sensor="north")["vehicles"][:8])) < 1e-3  # fmt: skip
    with pytest.raises(ct.InputError, match="was not overwritten"):
        found.write_csv(path)


def old(path: Path) -> None:
    import os

    os.utime(path, (1_700_000_000, 1_700_000_000))


def test_a_folder_that_grows_is_read_once_for_each_picture(
    model: ct.VisionModel, tmp_path: Path
) -> None:
    folder, out = tmp_path / "stills", tmp_path / "flow.csv"
    folder.mkdir()

    def add(hour: int, data: bytes | None = None, *, done: bool = True) -> None:
        path = folder / f"north_20240304-{hour:02d}00.jpg"
        path.write_bytes(data or stills.jpeg(stills.road(hour, hour)))
        if done:
            old(path)

    add(6)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            add(7)
            add(8, b"\xff\xd8\xff broken")
            add(9, done=False)  # still being written

    rounds = list(watch(str(folder), model, out, rounds=3, interval=5, sleep=sleep))
    assert [one.readings for one in rounds] == [1, 1, 0]
    assert waits == [5, 5]
    assert any("0800.jpg" in note for note in rounds[1].notes)
    assert len(pl.read_csv(out)) == 2
    again = list(watch(str(folder), model, out, rounds=1))
    assert [one.readings for one in again] == [0]  # what the file holds is not written twice
    assert len(pl.read_csv(out)) == 2


def test_a_picture_without_a_time_does_not_cost_the_others(
    model: ct.VisionModel, tmp_path: Path
) -> None:
    for name in ("north_20240304-0600.jpg", "north.jpg"):
        (tmp_path / name).write_bytes(stills.jpeg(stills.road(6, 6)))
        old(tmp_path / name)
    with pytest.raises(ct.TableError, match="no time in the name, as there is in others: 1 pict"):
        ct.read_pictures(tmp_path)
    said = "left out: there is no time in the name, as there is in others: 1 picture"
    found = ct.vision.count(tmp_path, model)
    assert (len(found), found.notes) == (1, (f"{said}, north.jpg",))
    (once,) = watch(str(tmp_path), model, tmp_path / "flow.csv", rounds=1)
    assert once.readings == 1
    assert said in once.notes[0]


def test_a_picture_that_is_taken_away_does_not_end_a_watch(
    model: ct.VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, soon, gone = (tmp_path / f"north_20240304-0{hour}00.jpg" for hour in (6, 7, 8))
    for path in (here, soon):
        path.write_bytes(stills.jpeg(stills.road(6, 6)))
        old(path)
    listed = iter([[gone, soon], [here]])
    monkeypatch.setattr("citytune.vision._count.picture_files", lambda _folder: next(listed))
    looked_at = "citytune.vision._count.read_pictures"

    def read(table: Any, **options: Any) -> ct.PictureFrame:
        found = ct.read_pictures(table, **options)
        soon.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(looked_at, read)
    out = tmp_path / "flow.csv"
    rounds = list(watch(str(tmp_path), model, out, rounds=2, sleep=lambda _: None))
    assert [one.readings for one in rounds] == [0, 1]
    assert "it is not there" in rounds[0].notes[0]


def test_a_file_that_is_taken_away_begins_anew_with_its_columns(
    model: ct.VisionModel, tmp_path: Path
) -> None:
    folder, out = tmp_path / "stills", tmp_path / "flow.csv"
    folder.mkdir()

    def add(hour: int) -> None:
        path = folder / f"north_20240304-{hour:02d}00.jpg"
        path.write_bytes(stills.jpeg(stills.road(hour, hour)))
        old(path)

    def sleep(_: float) -> None:
        out.rename(tmp_path / "yesterday.csv")
        add(7)

    add(6)
    rounds = list(watch(str(folder), model, out, rounds=2, interval=5, sleep=sleep))
    assert [one.readings for one in rounds] == [1, 1]
    tables = [pl.read_csv(path) for path in (tmp_path / "yesterday.csv", out)]
    assert [len(one) for one in tables] == [1, 1]
    assert tables[0].columns == tables[1].columns


@contextmanager
def camera(shots: list[bytes]) -> Iterator[str]:
    """A camera that gives one shot after the other, the last for ever; b"" is a fault of its."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shot = shots.pop(0) if len(shots) > 1 else shots[0]
            self.send_response(200 if shot else 503)
            self.send_header("Content-Length", str(len(shot)))
            self.end_headers()
            self.wfile.write(shot)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(shots[0])))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cam5.jpg?token=secret"
        server.shutdown()


def test_a_still_at_an_address_is_read_at_its_time(model: ct.VisionModel, tmp_path: Path) -> None:
    from citytune.vision import count

    first, second = (stills.jpeg(stills.road(n, n)) for n in (4, 9))
    moment = dt.datetime(2024, 3, 4, 7, 30, tzinfo=dt.UTC)
    with camera([first]) as address:
        found = count(address, model, timezone="Europe/Oslo", now=lambda: moment)
    assert found.table["sensor"].to_list() == ["cam5"]
    assert found.table["time"].to_list() == ["2024-03-04 08:30:00+01:00"]
    moments = iter(moment + dt.timedelta(minutes=i) for i in range(9))
    with camera([first, first, b"", second]) as address:
        rounds = list(
            watch(address, model, tmp_path / "flow.csv", rounds=4, interval=0.1, place="A5",
                  now=lambda: next(moments), sleep=lambda _: None)
        )  # fmt: skip
    assert [one.readings for one in rounds] == [1, 0, 0, 1]
    assert "has not changed" in rounds[1].notes[0]
    assert "cannot be read" in rounds[2].notes[0]
    assert "secret" not in str(rounds)
    assert pl.read_csv(tmp_path / "flow.csv")["sensor"].to_list() == ["A5", "A5"]


# The command line, and real networks


@pytest.mark.extras
@pytest.mark.skipif("efficientnet-lite0" in missing(), reason="the extra vision is not installed")
def test_the_commands_go_from_pictures_to_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    stills.write_stills(tmp_path, days=4, labelled=3)
    tune = ["tune-pictures", "labels.csv", "--target", "vehicles", "--pixels", "64", "--out", "run"]
    assert main(tune) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "3 groups" in said
    assert "A random split" in said
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["pictures"] == 72
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
    assert main(tune) == 2  # it is there
    assert main(["count", "stills", "--model", "run", "--out", "flow.csv"]) == 0
    table = pl.read_csv(tmp_path / "flow.csv")
    assert len(table) == 96
    actual = [stills.flow_at(dt.datetime.fromisoformat(t)) for t in table["time"]]
    assert np.corrcoef(actual, table["vehicles"])[0, 1] > 0.8
    assert main(["count", "stills", "--model", "run", "--interval", "5"]) == 2
    assert "--watch" in capsys.readouterr().err
    words = ["count", "stills", "--model", "run", "--watch", "--rounds", "1", "--out", "w.csv"]
    assert main(words) == 0


SHARED = Path(__file__).parents[2] / "shared"


@pytest.mark.extras
@pytest.mark.parametrize(("network", "width"), [("efficientnet-lite0", 1280), ("resnet50", 2048)])
def test_the_networks_of_imagenet_are_whole(
    network: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(SHARED / "weights"))
    if network in missing():
        pytest.skip(missing()[network])
    eye = eye_of(network)
    assert eye(torch.rand(1, 3, 224, 224)).shape == (1, width, 7, 7)
    assert eye.digest() == eye_of(network).digest()
    assert all(not weight.requires_grad for weight in eye.parameters())


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_a_keras_network_sees_pictures(frame: ct.PictureFrame, tmp_path: Path) -> None:
    if importlib.util.find_spec("keras") is None:  # importing it would choose a backend
        pytest.skip("the extra keras is not installed")
    from citytune.backbones._own_keras import keras_here

    keras = keras_here()
    layers = keras.layers
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(12, 3, 2, activation="relu"), layers.BatchNormalization(),
            layers.Dropout(0.2), layers.Conv2D(24, 3, activation="relu"),
            layers.GlobalAveragePooling2D(), layers.Dense(10),
        ]
    )  # fmt: skip
    network.save(tmp_path / "eye.keras")
    found = ct.tune_vision(frame, backbone=str(tmp_path / "eye.keras"))
    assert found.scores.errors["tuned"] < found.scores.errors["mean"]
    found.save(tmp_path / "m")
    again = ct.load_vision(tmp_path / "m")
    some = frame.pick(range(3))
    np.testing.assert_allclose(again.predict(some).table["vehicles"],
                               found.predict(some).table["vehicles"], rtol=1e-5)  # fmt: skip
    loop = replace(STEPS, epochs=2, rate=1e-3)
    moved = ct.tune_vision(
        frame, backbone=str(tmp_path / "eye.keras"), strategy="full", loop=loop, folds=2
    )
    assert {name.partition("/")[2] for name in moved.moved} == {"kernel", "bias", "gamma", "beta"}
    moved.save(tmp_path / "n")
    np.testing.assert_allclose(ct.load_vision(tmp_path / "n").predict(some).table["vehicles"],
                               moved.predict(some).table["vehicles"], rtol=1e-5)  # fmt: skip


# Counts as Poisson


def test_the_poisson_layer_is_the_minimum() -> None:
    some = torch.Generator().manual_seed(3)
    seen = torch.randn(60, 5, generator=some, dtype=torch.float64)
    base = torch.full((60, 1), 1.5, dtype=torch.float64)
    actual = torch.poisson((base + 0.4 * seen[:, :1]).exp(), generator=some)
    small, large = minima(seen, actual, base, (0.01, 10.0))
    for head, penalty in ((small, 0.01), (large, 10.0)):
        free = head.clone().requires_grad_()
        lost = deviance(base + seen @ free, actual).sum() / 2
        (lost + penalty * actual.sum() * free.square().sum() / 2).backward()
        assert free.grad is not None
        assert float(free.grad.abs().max()) < 1e-4 * float(actual.sum())
    assert float(small[0]) == pytest.approx(0.4, abs=0.12)
    assert large.abs().max() < 0.2 * small.abs().max()
    assert float(deviance(actual.log(), actual).nan_to_num(0.0).abs().max()) < 1e-12


def test_counts_are_learnt_as_poisson_or_by_their_logarithm(
    frame: ct.PictureFrame, tmp_path: Path
) -> None:
    for link in ("log", "poisson"):
        found = ct.tune_vision(frame, backbone=Small(), link=link)
        errors = found.scores.errors
        assert errors["tuned"] < 0.8 * min(errors["mean"], errors["hour mean"])
        assert found.target.link == link
    found.save(tmp_path / "m")
    again = ct.load_vision(tmp_path / "m", backbone=Small())
    some = frame.pick(range(3))
    assert again.predict(some).table.equals(found.predict(some).table)
    with pytest.raises(ct.InputError, match="the article's loop"):
        ct.tune_vision(frame, backbone=Small(), link="poisson", strategy="head-sgd")


def test_a_network_moves_by_the_poisson_deviance_too(frame: ct.PictureFrame) -> None:
    loop = replace(STEPS, epochs=1, rate=1e-3)
    found = ct.tune_vision(
        frame, backbone=Small(), link="poisson", strategy="full", loop=loop, folds=2
    )
    assert found.scores.errors["network"] < found.scores.errors["mean"]


# Networks that move, and those that cannot


class Whole(nn.Module):
    """A network whose answer no gradient passes, or whose weights are no floats."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.layer = how, nn.Conv2d(3, 8, 3, 4)

    def forward(self, colours: Tensor) -> Tensor:
        seen = self.layer(colours)
        return seen.detach() if self.how == "detached" else seen

    def __deepcopy__(self, _memo: object) -> Whole:
        if self.how == "no copy":
            raise RuntimeError("it holds a handle")
        return self


@pytest.mark.parametrize(("how", "said"), [("detached", "does not require grad"),
                                           ("no copy", "cannot be copied")])  # fmt: skip
def test_a_network_that_cannot_move_is_refused_at_once(
    frame: ct.PictureFrame, how: str, said: str
) -> None:
    with pytest.raises(ct.InputError, match=rf"strategy 'full' cannot move .*{said}.*take 'head'"):
        ct.tune_vision(frame, backbone=Whole(how), strategy="full", pixels=SIDE)


def test_of_a_row_of_blocks_the_last_two_move() -> None:
    class Row(Small):
        def __init__(self) -> None:
            super().__init__()
            row = [nn.Conv2d(16, 16, 3, 1, 1) for _ in range(3)]
            self.first = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Sequential(*row))
            self.second = nn.Conv2d(16, 48, 3)
            self.unused = nn.Linear(3, 3)

    eye = eye_of(Row())
    assert [type(one).__name__ for one in eye.parts()] == ["Conv2d"] * 5 + ["Linear"]
    body, free = free_copy(eye, "last-blocks")
    names = [name for name, weight in body.named_parameters() if weight.requires_grad]
    assert names == ["net.second.weight", "net.second.bias"]  # what no gradient reaches stays
    assert len(free) == 2
    assert all(weight.grad is None for weight in free)
    assert len(free_copy(eye, "full")[1]) == 10


def test_a_network_that_gives_channels_last_is_read_so() -> None:
    class Last(Small):
        output_fmt = "NHWC"

        def forward_features(self, colours: Tensor) -> Tensor:
            return super().forward_features(colours).permute(0, 2, 3, 1)

    shown = torch.rand(2, 3, SIDE, SIDE)
    torch.testing.assert_close(eye_of(Last())(shown), eye_of(Small())(shown))

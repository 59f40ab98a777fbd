"""Promise: files of networks of traffic, air and weather are read rightly, or refused by name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from systems import System, hours, is_right, waves

from citytune import InputError
from citytune.readers import read

TIMES = hours(480)
ONE, TWO = waves(2, 480)


def given(tmp_path: Path, *lines: str, name: str = "export.csv") -> Path:
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / name


def both(frame: object) -> bool:
    return is_right(System(b"", [ONE, TWO], {}), frame)  # type: ignore[arg-type]


@pytest.mark.parametrize("midnight", ["00", "24"])
def test_hours_from_and_to_belong_to_the_date(tmp_path: Path, midnight: str) -> None:
    rows = [
        f"{t:%Y%m%d};{t:%H}{f'{t.hour + 1:02d}' if t.hour < 23 else midnight};{way};{v[i]:.2f}"
        for i, t in enumerate(TIMES)
        for way, v in ((1, ONE), (2, TWO))
    ]
    assert both(read(given(tmp_path, "pvm;aikavali;suunta;liikennemaara", *rows)))


def test_indicators_of_one_name_are_no_sensors(tmp_path: Path) -> None:
    rows = [f"{t:%d-%b-%Y %H:%M},0,{i % 3}.1,{i % 2},{v:.1f},0,{1000 + i % 9}.5,{i % 36 * 10}"
            for i, (t, v) in enumerate(zip(TIMES, ONE, strict=True))]  # fmt: skip
    with pytest.raises(InputError, match="several quantities") as refused:
        read(given(tmp_path, "date,ind,rain,ind,wetb,ind,msl,wddir", *rows))
    assert "'ind" not in str(refused.value)


def test_codes_of_quantities_at_one_station_are_no_sensors(tmp_path: Path) -> None:
    rows = [f"BER;{t:%d.%m.%Y %H:%M};{a:.1f};{b:.1f};0.{i % 3}"
            for i, (t, a, b) in enumerate(zip(TIMES, ONE, TWO, strict=True))]  # fmt: skip
    head = "station_abbr;reference_timestamp;tre200h0;ure200h0;rre150h0"
    with pytest.raises(InputError, match="several quantities"):
        read(given(tmp_path, head, *rows))
    streets = "station_abbr;time;Nordring;Südring;Ostring"
    rows = [row.rsplit(";", 1)[0] + f";{v / 2:.1f}" for row, v in zip(rows, TWO, strict=True)]
    assert len(read(given(tmp_path, streets, *rows)).sensors) == 3


def test_pollutants_in_german_are_told_apart(tmp_path: Path) -> None:
    rows = [f"{t},{a:.2f},{b:.2f}" for t, a, b in zip(TIMES, ONE, TWO, strict=True)]
    head = "Datum,Feinstaub (PM₁₀) in µg/m³,Stickstoffdioxid (NO₂) in µg/m³"
    frame = read(given(tmp_path, head, *rows))
    assert [*frame.sensors] == ["Feinstaub (PM₁₀) in µg/m³"]


def test_a_third_row_of_labels_names_columns_of_quality(tmp_path: Path) -> None:
    rows = [f"{t:%Y/%m/%d} {t.hour}:00:00,{a:.2f},8,1,{b:.2f},8,1"
            for t, a, b in zip(TIMES, ONE, TWO, strict=True)]  # fmt: skip
    head = [",東京,東京,東京,横浜,横浜,横浜", "年月日時" + ",気温(℃)" * 6]
    assert both(read(given(tmp_path, *head, ",,品質情報,均質番号,,品質情報,均質番号", *rows)))


def test_the_mean_is_read_not_how_many_it_is_of(tmp_path: Path) -> None:
    rows = [f"{k},{t},{3 + i % 9},{v[i]:.2f},{i % 5}.1,{v[i] * 0.8:.2f},{v[i] * 1.2:.2f}"
            for k, v in (("a-F", ONE), ("a-T", TWO)) for i, t in enumerate(TIMES)]  # fmt: skip
    assert both(read(given(tmp_path, "LINK-DIR,DATE-TIME,COUNT,MEAN,STDDEV,MIN,MAX", *rows)))


def test_a_corrected_pollutant_is_no_altitude(tmp_path: Path) -> None:
    rows = [f"{t},{40 + i % 9},{a:.2f}" for i, (t, a) in enumerate(zip(TIMES, ONE, strict=True))]
    frame = read(given(tmp_path, "time,humidity,pm2.5_alt", *rows))
    assert [*frame.sensors] == ["pm2.5_alt"]


def test_pressure_with_the_code_of_its_quality_is_in_tenths(tmp_path: Path) -> None:
    rows = [f'"{t}","{9999 if i == 7 else 10130 + i % 90:05d},{3 if i == 9 else 1}"'
            for i, t in enumerate(TIMES)]  # fmt: skip
    rows[7] = rows[7].replace("09999", "99999")
    frame = read(given(tmp_path, '"DATE","SLP"', *rows))
    assert frame.values[:7, 0] == pytest.approx(1013 + np.arange(7) / 10)
    assert np.isnan(frame.values[[7, 9], 0]).all()


def test_year_day_of_the_year_and_hour_above_numbers_are_a_header(tmp_path: Path) -> None:
    rows = [f"{t.year} {t:%j} {t.hour + 1} {a:.2f} {b:.2f} -999.0"
            for t, a, b in zip(TIMES, ONE, TWO, strict=True)]  # fmt: skip
    frame = read(given(tmp_path, "anno jd h 2 3 5", *rows, name="NO2.txt"), target=["2", "3"])
    assert both(frame)


def zipped(tmp_path: Path, files: dict[str, str]) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    (tmp_path / "export.zip").write_bytes(out.getvalue())
    return tmp_path / "export.zip"


def test_days_in_an_archive_are_one_table(tmp_path: Path) -> None:
    days = {
        f"{TIMES[day]:%Y-%m-%d}.csv": "time,site,no2\n"
        + "".join(f"{TIMES[i]},{site},{v[i]:.2f}\n"
                  for i in range(day, day + 24) for site, v in (("a", ONE), ("b", TWO)))
        for day in range(0, 480, 24)
    }  # fmt: skip
    assert both(read(zipped(tmp_path, days)))


def test_small_files_beside_the_table_of_an_archive_describe_it(tmp_path: Path) -> None:
    rows = "".join(f"{t},{a:.2f},{b:.2f}\n" for t, a, b in zip(TIMES, ONE, TWO, strict=True))
    files = {"Readings.csv": "time,a,b\n" + rows, "Sites.csv": "site,miles\na,1\nb,2\n"}
    path = zipped(tmp_path, {**files, "Contents.txt": "Your export"})
    assert both(read(path))
    files["Sites.csv"] = files["Readings.csv"].replace("a,b", "c,d")
    with pytest.raises(InputError, match="2 files"):
        read(zipped(tmp_path, files))


def test_the_total_of_totals_is_read(tmp_path: Path) -> None:
    parts = [ONE.round(), (2 * ONE).round(), TWO.round()]
    rows = [f"{t},{parts[0][i] + parts[1][i] + parts[2][i]:.0f},"
            + ",".join(f"{part[i]:.0f}" for part in parts) + f",{60 + i % 9}.5,{12 + i // 300},7"
            for i, t in enumerate(TIMES)]  # fmt: skip
    head = "time,Total Carriageway Flow,Total Flow below 5 m,Total Flow 5 to 7 m,Total Flow above"
    path = given(tmp_path, head + ",Speed Value,Model Version,Network Link Id", *rows)
    assert is_right(System(b"", [sum(parts[1:], parts[0])], {}), read(path))


@pytest.mark.parametrize("form", ["{:02d}시-{:02d}시", "{:02d}-{:02d}시간대", "{:02d}~{:02d}"])
def test_hours_from_and_to_across_columns_in_korean(tmp_path: Path, form: str) -> None:
    head = ",".join(form.format(h, h + 1) for h in range(24))
    rows = [f"{TIMES[i]:%Y-%m-%d},{gate}," + ",".join(f"{x:.2f}" for x in v[i : i + 24])
            for i in range(0, 480, 24) for gate, v in (("승차", ONE), ("하차", TWO))]  # fmt: skip
    assert both(read(given(tmp_path, "날짜,구분," + head, *rows)))


def test_words_among_whole_numbers_beside_a_date_are_no_hours(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{t:%Y-%m-%d},{'closed' if i == 300 else 200 + i % 37}"
            for i, t in enumerate(TIMES)]  # fmt: skip
    assert len(read(given(tmp_path, "time,date,flow", *rows))) == 480


def test_speeds_of_lanes_that_go_round_name_no_sensors(tmp_path: Path) -> None:
    rows = [f"{t},{ONE[i]:.0f},{60 + i % 9},{TWO[i]:.0f},{70 + i % 9},{ONE[i] + TWO[i]:.0f}"
            for i, t in enumerate(TIMES)]  # fmt: skip
    head = "time,Lane 1 Vol,Lane 1 Spd,Lane 2 Vol,Lane 2 Spd,Total Vol"
    frame = read(given(tmp_path, head, *rows))
    assert len(frame) == 480
    assert not any("Spd" in name for name in frame.sensors)

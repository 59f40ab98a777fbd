"""The words city data use for times and the parts of them."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


TIME = _words("""
timestamp date_time datetime date_utc datetime_utc time_utc utc_time utc timestamp_utc
local_time datetime_local date_local time date ds datum zeitstempel zeitpunkt zeit datum_zeit
tidspunkt tid fecha_hora fecha data_ora data horodate date_heure datumtijd tijd ts dt moment
start_time time_start period_start interval_start start begin from measured_at recorded_at
observed_at created_at settlement_date epoch epoch_ms unixtime unix_time unixtime_ms unix datenum
serial_date when date_from hour_beginning
hour_ending datetime_beginning datetime_begin datetime_beginning_utc date_time_utc fra von desde
debut du da fra_dato datum_von date_debut horodate zeit_von dateobserved date_observed
observationdatetime phenomenontime phenomenon_time last_changed lastupdated last_updated
settlementdate datetimefrom interval_datetime qt_interval_count mtu utc_timestamp timestamp_measured
horodatage messzeit messzeitpunkt zeitpunkt_der_messung czas data_czas datum_cas dag_tid aika tarih
yymmdd yyyymmdd
日期 时间 時間 日時 日付 監測日期 측정일시 일시 날짜 ปี_เดือน_วัน วันที่
""")
"""Names of columns of times; the earlier, the likelier."""
DAY_OF_YEAR = frozenset(
    _words(
        "doy day_of_year dayofyear julian_day julianday jday julian jd yday ordinal_day "
        "dia_juliano giorno_giuliano jour_julien"
    )
)
"""Columns that count the days of a year from 1."""
CLOCK_TIME = _words("""
time hour hr hh hora ora heure heures uhrzeit zeit tid tidspunkt klokkeslett tijd stunde hours
minute minutes minuten settlement_period period periodo periode start_time time_local time_gmt
time_utc fra_tidspunkt
interval time_of_day sp minute_of_day hour_of_day hhmm hhmmss minutes_of_day second_of_day
seconds_of_day sod hour_ending he from_time start hora_inicio
hourday hour_number uhrzeit_von czas godzina klokken klokka kello klo kl kell klukkan saat hodina
uur timme tunti ωρα час время الوقت الساعة שעה 時刻 時 时 小时 시간 시 ชั่วโมง เวลา
""")
"""Columns that hold the time of the day where another holds the date."""
EXTREME_WORDS = frozenset(
    _words("max maximum maximal maximo minimum minimal minimo peak highest lowest")
)
"""Words of names of the hour at which a day had its highest or lowest reading."""
END_WORDS = frozenset(_words("""
end to til bis ende fin until stop hasta ended finish fine fim slut sluttid sluttidspunkt loppu
loppuaika koniec konec kraj do eind einde eindtijd endzeit endzeitpunkt lopp pabaiga beigas vege
ate
"""))  # fmt: skip
"""Words of names of the end of an interval."""
BEGIN_WORDS = frozenset(
    _words("start begin from beginning von desde debut du da fra van local utc")
)
"""Words of names of its begin, and of the zone of a time."""
LATER_WORDS = frozenset(_words("""
update updated revision revised publish published publishtime created modified inserted insert
issued received processed loaded change changed delivered lieferdat ingested import imported export
exported record result resulttime updatetime installation lastchanged
"""))  # fmt: skip
"""Words of names of the time at which a row was written, corrected or sent."""
DATE_PARTS = (
    (
        "year",
        "yr",
        "yyyy",
        "ano",
        "any",
        "annee",
        "jahr",
        "anno",
        "jaar",
        "ar",
        "rok",
        "vuosi",
        "yil",
        "ev",
        "y",
        "年",
        "년",
        "ปี",
    ),
    (
        "month",
        "mon",
        "mm",
        "mes",
        "mois",
        "monat",
        "mese",
        "maand",
        "manad",
        "maned",
        "miesiac",
        "mesic",
        "kuukausi",
        "kk",
        "ay",
        "honap",
        "mo",
        "m",
        "月",
        "월",
        "เดือน",
    ),
    (
        "day",
        "dd",
        "dia",
        "jour",
        "tag",
        "giorno",
        "dag",
        "mdate",
        "dy",
        "pv",
        "dzien",
        "den",
        "paiva",
        "gun",
        "nap",
        "d",
        "日",
        "일",
        "วัน",
    ),
    (
        "hour",
        "hr",
        "hh",
        "hora",
        "heure",
        "stunde",
        "std",
        "ora",
        "uur",
        "timme",
        "klo",
        "time",
        "godzina",
        "hodina",
        "tunti",
        "saat",
        "h",
        "時",
        "时",
        "시",
        "ชั่วโมง",
    ),
    ("minute", "min", "minuto", "mm", "mi", "mn"),
    ("second", "sec", "ss", "segundo", "sekunde"),
)
"""Names of the parts of a moment."""

"""The words city data use for times, sensors and quantities."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from citytune.readers.cells._pollutants import in_formulas


def _words(text: str) -> list[str]:
    return text.split()


PARAMETER = frozenset(
    _words("""
parameter parameters parameter_name parameter_code param pollutant pollutant_name air_pollutant
airpollutant airpollutantcode component komponente contaminant contaminante magnitud magnitude
variable measurement_type measure item items field _field indicator species analyte quantity
observed_property observedproperty measure_name measurement_name reading_type data_item
metric register register_id kind_of_quantity mode value_type
consumption_category traffic_type vehicle_class vehicle_type vehicle_category vehicleclass
vehicletype voertuigcategorie
voertuigklasse fahrzeugart fahrzeugklasse tipo_vehiculo tipo_de_vehiculo type_vehicule
type_de_vehicule categorie_vehicule ajoneuvoluokka fordonsklass kjoretoyklasse
測項 測項名稱 监测项目 監測項目 측정항목 測定項目 項目 项目 项目名称 監測因子 监测因子
污染物 汚染物質 物質
指标 항목 오염물질 показатель параметр загрязнитель вещество zanieczyszczenie wskaznik kirletici
""")
)
"""Names of columns that say what is measured."""

TARIFFS = frozenset(
    _words("""
day night dag nacht natt tag jour nuit giorno notte dia noche peak off offpeak on shoulder ht nt
hp hc normal laag hoog low high tariff tarif tarief tarifa hochtarif niedertarif t1 t2
""")
)
"""Words of registers of one meter that count at other times of the day each."""
FLOWS = frozenset(
    _words("""
consumption generation import export imported exported delivered received injection injectie afname
teruglevering production lieferung einspeisung bezug consumo produccion soutirage surplus levering
usage net real actual programada prevista scheduled forecast medida
""")
)
"""Words of registers that count what flows one way or the other."""
FED_IN = frozenset(
    _words("""
export exported exports received injection injectie teruglevering lieferung einspeisung surplus
levering generation production
""")
)
"""Words of those among them that count what is fed into the grid."""

SENSOR = _words("""
unique_id sensor_id sensor sensorid station_id station stationid detector_id detector site_id
site siteid loop_id loop meter_id meter device_id device trp_id monitor_id monitor segment_id
segment link_id link node_id node point_id point location_id location building_id building
household_id household customer consumer zone_id zone region area district street road route
line stop asset feeder substation series_id series item_id sensor_name station_name site_name
stasjon messstelle estacion stazione punkt detid det_id entity_id sampling_point samplingpoint
load_area settlementpoint lclid cups account_number meter_number meter_serial unit_id
trafikkregistreringspunkt identifiant_arc segmentid system_code_number systemcodenumber
metric metric_name series series_name
mprn mpan nmi meter_serial_number mq_name punto_muestreo station_code sensors_id location_name
datastream id code name channel type
""")
SENSOR_PARTS = frozenset(
    _words(
        "sensor station detector site loop meter device monitor segment link node building "
        "lane direction richtung sentido kjoreretning felt zone area location"
    )
)

LATITUDE = ("latitude", "lat", "breddegrad", "y_lat")
LONGITUDE = ("longitude", "lon", "lng", "long", "lengdegrad", "x_lon")

GENERIC = _words(
    "value _value y target reading measurement measured observation val wert verdi valor valore "
    "valeur result state waarde varde vaerdi concentration sample_measurement raw_value"
)
TRAFFIC = _words("""
traffic_volume total_volume traffic_flow vehicle_flow vehicle_count vehicles_count volume flow
veh vehicles num_vehicles traffic traffic_count count counts cnt rentals rented_bike_count trips
ridership passengers boardings car cars bike bikes bicycles pedestrian pedestrians people
visitors intensity intensidad intensite trafikkmengde trafikmaengde verkehrsmenge debit_horaire
debit vol veh_count vehiclecount verkehrsstaerke verkehrsstarke aforo mengde intensiteit
gem_intensiteit nb_passages passages transiti passaggi fordon biler bilar natezenie liikennemaara
hourly_counts hourly_count comptage_horaire kfz anzahl anz_fahrzeuge speed avg_speed average_speed
gem_snelheid
mean_speed traffic_speed averagevehiclespeed occupancy travel_time
流量 车流量 車流量 交通量 交通流量 교통량 速度 车速 車速 平均速度 속도
""")
AIR = _words(
    "nitrogen_dioxide pm25 pm_25 pm2_5 pm10 no2 fsp rsp o3 ozone ozon ozono ozonio nox no so2 co "
    "aqi bc black_carbon sulphur_dioxide carbon_monoxide pm1 nh3 feinstaub stickstoffmonoxid"
)
ENERGY = _words("""
zatizeni belastung belastning obciazenie zapotrzebowanie spotreba terheles fogyasztas kulutus
tuketim consum demanda demanda_real
actual_total_load actual_load load totaldemand demand total_load national_demand ontario_demand
netzlast consommation consumo verbrauch forbruk forbrug maengde mængde verbruik consumptie
stromverbrauch nd consumption mw energy power active_power
global_active_power power_consumption energy_consumption electricity usage electricity_usage
appliances heat gas net_load
현재수요 负荷 負荷 負載 用电量 用電量 电量 電量 功率 電力 電力量 需要 전력 전력사용량
""")
TARGETS = {
    word: rank for rank, word in enumerate([*GENERIC, *TRAFFIC, *AIR, *ENERGY])
}  # lower is more likely what is to be forecast

BESIDES = frozenset(_words("""
temp temperature tempm temps tmin tmax tavg humidity hum rain rainfall precip percip prcp
precipitation couverture cobertura kattavuus dauer intervaldauer intervalldauer
snow cloud clouds wind windspeed wspd wspdm wspm gust press pressure dewp dew tdewpoint
dewpoint visibility radiation irradiance ghi dni poa solar sun sunshine uv weather vis holiday
weekday weekend dayofweek day month year hour minute week season voltage intensity reactive
metering factor capacity capacidad generation price precio preis prix cost coste kosten uptime v85
quality flag status error lights charge charges tariff duration kvalitet dekningsgrad coverage
completeness mdl uncertainty lat_lon precision latest gust forecast_load total_hours rrp standing
estimated carga vmed periodo_integracion samples observed lanes confidence ethane
isoprene benzene toluene nmhc emission emissions cbwd elevation altitude lat latitude lon lng
longitude embedded forecast forecasts forecasted predicted prediction prevision previsione prevista
previst previsto prevu prevue prognose prognosis pronostico fcst planned scheduled
mtlf stlf lmp soc ladezustand vorjahr dekning abdeckung deckung tackning borvarde sollwerte
vorjahreswert vorwoche vortag gestern yesterday ayer hier ieri anterior semana utcoffset offset
residual oat oah terv residuallast residualload 品質情報 均質番号 预测 預測 예측
dayahead becsles becsult planeeritud planlagt planerad gepland geplant planifie planejado planowane
suunniteltu ennustettu planovana προβλεψη прогноз prognoza predpoved ennuste tahmin tahmini 予測
rssi battery pf vll vln volts amps thd frequency diff difference barometer winddir wdir pres
wddir wdsp wetb dewpt vappr rhum rltv msl setpoint sollwert consigne consigna setpunt
"""))  # fmt: skip
"""Words of columns that accompany a target: weather, calendar, electrical side values."""
_WEATHER = re.compile(
    r"temperatu[re]|feuchte|feuchtigkeit|niederschlag|luftdruck|strahlung|windgeschw|humidit|"
    r"umidade|umidita|humedad|fuktighet|nedbor|nederbord|neerslag|vochtigheid|precipitac|precipitaz|"
    r"(dry|wet)_?bulb|dew_?point"
)
"""Parts of words that say weather in languages that join them: Außentemperatur."""
BESIDES_SHORT = frozenset(
    _words("""
noise t rh t2m d2m u10 v10 rh2m ah ws wd is ir iws nsm pn cl rv tr co2 c6h6 index lane utc
""")
)
"""The same, where the word is the whole name."""
SOURCES = frozenset(
    _words("""
nuclear nucleaire nucleare kernenergie coal charbon carbon braunkohle steinkohle lignite oil fioul
fuel_oil gaz erdgas natural_gas ccgt ocgt hydro hydraulique wasserkraft hidraulica eolien eolica
windkraft wind_onshore wind_offshore solaire photovoltaik fotovoltaica biomass biomasse bioenergies
biogas geothermal geothermie waste thermal thermique termica termico
carbune hidrocarburi ape eolian biomasa
pompage pumpspeicher pumped_storage pump_storage_pumping ps
imports exports ech_physiques taux_de_co2 interconnectors other_renewable sonstige
""")
)
"""Where electricity comes from; whole names, which stand next to a load."""
FLAGS = frozenset(
    _words("""
closed open closure event working workingday active alarm fault maintenance school vacation strike
match online offline on off enabled is_holiday peak rush dst summer_time outlier imputed estimated
interpolated anomaly notes note comment comments remark remarks bemerkung bemerkungen kommentar
anmerkung anmerkungen opmerking opmerkingen remarque remarques observaciones
""")
)
"""Whole names of columns of zeros and ones that are no sensors."""

UNITS = frozenset(_words("kwh kw mw mwh wh w gw ug ugm3 m3 veh h vph kmh mph kph pct percent"))
PLACES = frozenset(_words("""
street st lane road rd avenue ave park station square place plaza platz plein bridge hill works
mine barrier junction way gate yard court drive row rue route allee strasse str weg gasse brucke
calle avenida via viale straat laan gade vej gata stop terminal city springs
"""))  # fmt: skip
"""Words that places are called by, and that tell no two of them apart."""
_QUANTITY = re.compile(r"(pm25|pm10|pm1|no2|no|nox|o3|so2|co|aqi|bc|nh3)(_(24h|8h|1h|mean))?|"
                       r"temperature|humidity|count|speed|occupancy")  # fmt: skip
_MEANS = frozenset(["avg", "mean", "average", "mittelwert", "moyenne", "media"])
_AREAS = re.compile(r"no[1345]|se[1-4]|dk[12]")
"""Bidding areas of electricity, among which NO2 is no gas."""
_OBIS = re.compile(r"\b\d-\d{1,2}:([12])(\.\d{1,2}){2}(\*\d+)?|(?<![\d.:-])([12])\.8\.\d(?![\d.])")
"""Codes of meters: 1 is drawn from the grid, 2 is fed into it."""
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
"""Digits below the line, as in NO₂."""
_POLLUTANT = re.compile(r"^(pm25|pm10|pm1|no2|so2|o3|co2|c6h6|v85|m3|ugm3)$")


@functools.lru_cache(maxsize=1 << 17)
def plain_name(column: str) -> str:
    """A column's name in lower case and underscores, without brackets.

    >>> plain_name("PM2.5"), plain_name("NO2(GT)"), plain_name("TravelTime_387")
    ('pm25', 'no2', 'travel_time_387')
    >>> plain_name("Dioxyde d'azote"), plain_name("二氧化氮")
    ('no2', 'no2')
    """
    column = column.translate(_LOWERED)
    column = _OBIS.sub(lambda code: " import " if "1" in code.groups() else " export ", column)
    name = re.sub(r"[(\[].*?[)\]]", " ", column) if column[:1] not in "([" else column
    name = "".join(c for c in unicodedata.normalize("NFD", name) if not "\u0300" <= c <= "\u036f")
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"(?i)\b(?:pm|mp)[ _]?2[.,_]5", "pm25", name)
    name = re.sub(r"\bMP[ _]?(10?)\b", r"pm\1", name)  # matéria particulada
    name = re.sub(r"(?i)pm[ _]?(10?)[._]0(?!\d)", r"pm\1", name)
    name = re.sub(r"(?i)pm_(10|25)\b|\bpm (1|10|25)(?![0-9._])", r"pm\1\2", name)
    name = re.sub(r"(?<=[a-z])(?=[kMGT]Wh?(?![a-z]))", "_", name)
    name = re.sub(r"([kMGT])(W)(h?)(?![a-z])", lambda unit: unit[0].lower(), name)
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name)
    name = re.sub(r"[^0-9a-zA-Z\u00c0-\uffff]+", "_", name).lower()
    return in_formulas(name).strip("_")


def tokens(column: str) -> list[str]:
    """The words of a column's name."""
    return plain_name(column).split("_")


def is_quantity(text: str) -> bool:
    """Whether a cell names something that is measured: NO2, speed, kWh.

    >>> is_quantity("PM2.5"), is_quantity("OZONE"), is_quantity("Main Street")
    (True, True, False)
    """
    name = plain_name(text)
    return (name in TARGETS and name not in GENERIC) or bool(_QUANTITY.fullmatch(name))


def pollutants(names: Iterable[str]) -> list[str]:
    """Which of the columns of a table are called like an air pollutant and nothing else.

    Short words such as CO may be places; they count next to one that is none.

    >>> pollutants(["NO2", "CO", "wind"]), pollutants(["NO1", "NO2"]), pollutants(["CA", "CO"])
    (['NO2', 'CO'], [], [])
    """
    plain = {name: _without_units(plain_name(name)) for name in names}
    found = [name for name, one in plain.items() if one in AIR]
    sure = any(len(plain[name]) > 3 or re.search(r"\d", plain[name]) for name in found)
    return found if sure and not bidding_areas(plain) else []


def bidding_areas(names: Iterable[str]) -> list[str]:
    """Which columns are called like areas of the electricity market, such as NO2 next to NO1."""
    plain = {name: plain_name(name) for name in names}
    if not any(_AREAS.fullmatch(one) for one in plain.values()):
        return []
    return [name for name, one in plain.items() if _AREAS.fullmatch(one) or one == "no2"]


@functools.lru_cache(maxsize=1 << 17)
def family(column: str) -> str:
    """What columns that differ only in a number or code have in common.

    >>> family("zone_12"), family("speed_t4013"), family("b01_load"), family("PM2.5"), family("T1")
    ('zone', 'speed', 'load', 'pm25', 't')
    """
    words = tokens(column)
    kept = [word for word in words if not re.search(r"\d", word) or _POLLUTANT.match(word)]
    if not kept and len(words) == 1:
        return words[0].rstrip("0123456789")
    return "_".join(kept)


@functools.lru_cache(maxsize=1 << 17)
def target_rank(column: str) -> int | None:
    """How likely a column is what is to be forecast, by its name: 0 is likeliest, None unknown.

    >>> target_rank("traffic_volume") < target_rank("PM2.5") < target_rank("Usage_kWh")
    True
    """
    plain, kin = plain_name(column), family(column)
    for name in (plain,) if kin == "y" else (plain, kin):  # x1 and y1 are two sensors
        if (rank := TARGETS.get(_without_units(name))) is not None:
            return rank
    return None


def _without_units(plain: str) -> str:
    """A plain name without the unit and the word for a mean at its end."""
    words = plain.split("_")
    while len(words) > 1 and words[-1] in UNITS | _MEANS:
        words.pop()
    return "_".join(words)


def goes_beside(column: str) -> bool:
    """Whether a name says weather, calendar or a side value rather than the target.

    >>> goes_beside("rain_1h"), goes_beside("T1"), goes_beside("norreport")
    (True, True, False)
    """
    name = plain_name(column)
    short = len(name) <= 5 and (name in BESIDES_SHORT or family(column) in BESIDES_SHORT)
    if name in SOURCES:
        return True
    if short or name.split("_")[0] == "rh" or _WEATHER.search(name):
        return True
    return bool(BESIDES.intersection(name.split("_")))

"""The words by which names of columns say what is measured."""

from __future__ import annotations

import re

KINDS: tuple[dict[str, str], ...] = (
    {
        "PM2.5": "pm25|fsp", "PM10": "pm10|rsp|feinstaub", "PM1": "pm1",
        "NO2": "no2|nitrogen_dioxide", "O3": "o3|ozone?|ozono", "BC": "bc",
        "NO": "no|stickstoffmonoxid|nitric_oxide", "NOx": "nox|stickoxide|nitrogen_oxides",
        "SO2": "so2|sul(ph|f)ur_dioxide", "NH3": "nh3", "CO": "co|kohlenmonoxid|carbon_monoxide",
    },
    {
        "flow": "flow|volume|vol|counts?|intensity|intensiteit|intensidad|debit|verkehrsstarke",
        "speed": "speed|spd|snelheid|geschwindigkeit|vitesse|velocidad|velocita",
        "occupancy": "occupancy|occ|belegung|bezettung|ocupacion|occupation",
        "travel time": "duration|traveltime|reisezeit|delays?",
    },
    {
        "electricity": "electricity|electric|elec|strom|stroom|elektra|elektriciteit|electricite",
        "gas": "gas|gaz|erdgas", "water": "water|wasser|eau|agua|acqua",
        "heat": "heat|heating|warme|fernwarme|chaleur",
    },
    {
        "consumption": r"consum\w*|\w*verbrauch\w*|\w*bezug|demand|afname|soutirage|imports?|usage|"
                       r"forbruk|forbrug|loads?|homes?|houses?|haus|zapotrzebowanie|zuzycie|kulutus|"
                       r"fogyasztas|tuketim|spotreba|потребление|споживання|καταναλωση|消費\w*|用电量|소비\w*",
        "production": r"\w*produ[ckz]\w*|\w*erzeug\w*|\w*einspeis\w*|generation|injection|injectie|"
                      r"inje[ck]\w*|exports?|teruglevering|lieferung|surplus|solar|pv|yields?|ertrag|returned|ret|generacj\w*|"
                      r"uretim|tuotanto|termeles|vyroba|генерация|генерація|выработка|παραγωγη|発電\w*|发电量|발전\w*",
        "battery": r"batter(y|ies)|\w*batterie\w*|akku|bateria|accu|powerwall",
        "grid": r"grid|netz|red",
    },
    {
        "volume flow": r"durchfluss\w*|volumenstrom|volume_flow|flow_rate|debit|caudal|portata",
        "temperature": r"vorlauf\w*|rucklauf\w*|supply\w*|return|depart|retou?r\w*|fremlob|"
                       r"aanvoer\w*|mandata|ritorno|ida|retorno",
    },
    {
        "energy": r"energ\w*|kwh|mwh|gwh|conso",
        "power": r"power|puissance|leistung|\w*wirkleistung|potencia|potenza|vermogen|kw",
        "voltage": r"voltage|volts?|spannung|tension|voltaje|spanning|tensione",
        "current": r"currents?|amps?|amperes?|amperage",
        "reactive power": r"reactive|kvarh?|\w*blindleistung|reattiva|reactiva",
        "frequency": "frequency|frequenz|hz",
        "power factor": "pf|cosphi",
    },
    {
        "cars": "cars?|pkw|autos?|voitures?", "bicycles": "bikes?|bicycles?|cycl\\w*|velos?|rad",
        "pedestrians": "peds?|pedestrians?|fuss\\w*|pietons?",
        "lorries": "trucks?|lorr\\w*|hgvs?|lkw", "buses": "bus|buses",
    },
)  # fmt: skip
"""What is measured, by the words of names; of each group the likelier first."""
DOUBTFUL = re.compile(
    r"no|co|bc|ozone?|gas|gaz|water|wasser|eau|agua|acqua|heat|heating|electric|cars?|autos?|"
    r"bikes?|bicycles?|cycl\w*|velos?|rad|peds?|pedestrians?|pietons?|trucks?|lorr\w*|bus|buses|"
    r"loads?|homes?|houses?|haus|solar|battery|grid|netz|red|energ\w*|power|currents?|tension"
)
"""Words that are as well the name of a street, a state or a direction."""

"""Pollutants by their names in the languages of those who measure them."""

from __future__ import annotations

import re

_NAMES = {
    "no2": """
stickstoffdioxid dioxyde_d_azote dioxido_de_nitrogeno dioxido_de_nitrogenio biossido_di_azoto
diossido_di_azoto dioxid_de_azot stikstofdioxide kvavedioxid kvaelstofdioxid nitrogendioksid
typpidioksidi dwutlenek_azotu oxid_dusicity nitrogen_dioxid azot_dioksit диоксид_азота
азота_диоксид διοξειδιο_του_αζωτου 二氧化氮 二酸化窒素 이산화질소
""",
    "so2": """
schwefeldioxid dioxyde_de_soufre dioxido_de_azufre dioxido_de_enxofre biossido_di_zolfo
zwaveldioxide svaveldioxid svoveldioksid rikkidioksidi dwutlenek_siarki oxid_siricity
kukurt_dioksit диоксид_серы серы_диоксид 二氧化硫 二酸化硫黄 이산화황 아황산가스
""",
    "co": """
monoxyde_de_carbone monoxido_de_carbono monossido_di_carbonio koolmonoxide hiilimonoksidi
tlenek_wegla karbon_monoksit оксид_углерода углерода_оксид 一氧化碳 一酸化炭素 일산화탄소
""",
    "o3": "臭氧 オゾン 光化学オキシダント 오존 озон",
    "pm10": "可吸入颗粒物 可吸入顆粒物 懸浮微粒 미세먼지",
    "pm25": "细颗粒物 細懸浮微粒 微小粒子状物質 초미세먼지",
}
_FORMULA = {name: formula for formula, names in _NAMES.items() for name in names.split()}
_ANY = re.compile(
    "|".join(
        name if ord(name[0]) > 0x2E80 else rf"(?<![^_]){name}(?![^_])"
        for name in sorted(_FORMULA, key=len, reverse=True)
    )
)
"""Scripts of East Asia write no spaces between words."""


def in_formulas(plain: str) -> str:
    """A plain name with formulas in place of pollutants' names.

    >>> in_formulas("stickstoffdioxid_nord"), in_formulas("二氧化氮浓度"), in_formulas("ozone")
    ('no2_nord', 'no2浓度', 'ozone')
    """
    return _ANY.sub(lambda found: _FORMULA[found[0]], plain)

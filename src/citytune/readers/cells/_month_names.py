"""The names of months in the languages of Europe, alone and behind a day, and of weekdays."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_NAMES = """
jan januar january janvier janv enero ene gennaio gen januari janeiro styczen stycznia sty leden
ledna januara январь января янв січень січня sijecanj sijecnja jaanuar janvaris janvara ianuarie
ian januarja januári tammi tammikuu tammikuuta sausis sausio ocak ιανουαριος ιανουαριου ιαν януари
gener јануар;
feb februar february fevrier fevr febrero febbraio februari fevereiro fev luty lutego lut unor
unora februara февраль февраля фев лютий лютого veljaca veljace veebruar februaris februarie
februarja helmi helmikuu helmikuuta vasaris vasario subat φεβρουαριος φεβρουαριου φεβ февруари
febrer фебруар;
mar march marz maerz mrz mars marzo maart mrt marts marco marzec marca brezen brezna marec март
марта мар березень березня ozujak ozujka marta martie marcius maalis maaliskuu maaliskuuta kovas
kovo mart μαρτιος μαρτιου μαρ;
apr april avril avr abril abr aprile kwiecien kwietnia kwi duben dubna aprila апрель апреля апр
квітень квітня travanj travnja aprill aprilis aprilie huhti huhtikuu huhtikuuta balandis balandzio
nisan απριλιος απριλιου απρ април;
may mai mayo maggio mag mei maj maja maio kveten kvetna май мая травень травня svibanj svibnja
maijs maija majus touko toukokuu toukokuuta geguze geguzes mayis mayıs μαιος μαιου μαι maig мај;
jun june juni juin junio giugno giu junho czerwiec czerwca cze cerven cervna juna июнь июня июн
червень червня lipanj lipnja juuni junijs junija junij iunie junius kesa kesakuu kesakuuta birzelis
birzelio haziran ιουνιος ιουνιου ιουν юни juny јун;
jul july juli juillet juil julio luglio lug julho lipiec lipca lip cervenec cervence jula июль июля
июл липень липня srpanj srpnja juuli julijs julija julij iulie julius heina heinakuu heinakuuta
liepa liepos temmuz ιουλιος ιουλιου ιουλ юли juliol јул;
aug august aout agosto ago augustus augusti sierpien sierpnia sie srpen srpna augusta август
августа авг серпень серпня kolovoz kolovoza augusts avgust avgusta augusztus elo elokuu elokuuta
rugpjutis rugpjucio agustos αυγουστος αυγουστου αυγ agost;
sep sept september septembre septiembre settembre set setembro wrzesien wrzesnia wrz zari septembra
сентябрь сентября сен сент вересень вересня rujan rujna septembris septembrie septembar szeptember
syys syyskuu syyskuuta rugsejis rugsejo eylul σεπτεμβριος σεπτεμβριου σεπ септември setembre
септембар;
oct october oktober okt octobre octubre ottobre ott outubro out pazdziernik pazdziernika paz rijen
rijna oktobra октябрь октября окт жовтень жовтня oktoober oktobris octombrie oktobar loka lokakuu
lokakuuta spalis spalio ekim οκτωβριος οκτωβριου οκτ октомври октобар;
nov november novembre noviembre novembro listopad listopada listopadu lis novembra ноябрь ноября
ноя листопад листопада studeni studenog studenoga novembris noiembrie novembar marras marraskuu
marraskuuta lapkritis lapkricio kasim kasım νοεμβριος νοεμβριου νοε ноември новембар;
dec december dezember dez decembre diciembre dic dicembre desember des dezembro grudzien grudnia
gru prosinec prosince decembra декабрь декабря дек грудень грудня prosinac prosinca detsember
decembris decembrie decembar joulu joulukuu joulukuuta gruodis gruodzio aralik aralık δεκεμβριος
δεκεμβριου δεκ декември desembre децембар;
"""
"""The names of each month and their short forms, without accents."""
_WEEKDAYS = (
    "mon monday mo montag;tu tue tues tuesday di dienstag;we wed wednesday mi mittwoch;"
    "th thu thur thurs thursday do donnerstag;fri friday fr freitag;"
    "sat saturday sa samstag sonnabend;su sun sunday so sonntag"
)
"""Names of weekdays from Monday on, those that mean no other day elsewhere."""
_LISTOPAD = re.compile(r"(?<!\w)listopada?(?!\w)", re.IGNORECASE)
"""November in Poland and October in Croatia."""
_CROATIAN = re.compile(
    r"(?<!\w)(rujna|rujan|studen(i|oga?)|prosin(ac|ca)|kolovoza?|srpnja|lipnja)(?!\w)|"
    r"\d{4}\.(?: |$)",
    re.IGNORECASE,
)
_POLISH = re.compile(
    r"(?<!\w)(październik|grud(nia|zień)|wrze(śnia|sień)|sierpnia|lipca|czerwca)a?(?!\w)",
    re.IGNORECASE,
)


def without_accents(word: str) -> str:
    """In lower case without accents."""
    parts = unicodedata.normalize("NFD", word.strip(" .").lower())
    return "".join(c for c in parts if not unicodedata.combining(c))


_MONTH = {
    without_accents(name): i
    for i, names in enumerate(_NAMES.split(";"), 1)
    for name in names.split()
}

WEEKDAYS = {name: i for i, names in enumerate(_WEEKDAYS.split(";")) for name in names.split()}
"""Name in lower case → 0 for Monday."""


def month_of(cell: str) -> int | None:
    """The number of a month by its name.

    >>> month_of("März"), month_of("Feb."), month_of("września"), month_of("мая"), month_of("north")
    (3, 2, 9, 5, None)
    """
    return _MONTH.get(without_accents(cell))


def weekday_of(cell: str) -> int | None:
    """The number of a weekday by its name, 0 for Monday.

    >>> weekday_of("Fri"), weekday_of("Mittwoch"), weekday_of("mar.")
    (4, 2, None)
    """
    return WEEKDAYS.get(cell.strip(" .").lower())


def without_listopad(cells: Iterable[str]) -> str | None:
    """The English month that "listopada" stands for in a column; None if it may be either.

    >>> without_listopad(["30. rujna 2026", "1. listopada 2026"]), without_listopad(["north"])
    ('October', '')
    >>> without_listopad(["1 listopada 2026"]) is None
    True
    """
    some = list(cells)
    if not any(map(_LISTOPAD.search, some)):
        return ""
    croatian, polish = (any(map(rule.search, some)) for rule in (_CROATIAN, _POLISH))
    return None if croatian == polish else "October" if croatian else "November"


def in_english(cell: str, month: str) -> str:
    """A cell with the month that "listopada" stands for."""
    return _LISTOPAD.sub(month, cell)

"""Find the encoding of a text that is no UTF-8, and write all digits the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping

BYTES_TO_TELL_ENCODING = 1 << 16
SHARE_OF_USUAL_CHARACTERS = 0.2
"""Share of characters that are usual in tables from which an encoding is taken."""
USUAL: Mapping[str, str] = {
    "cp932": (
        "年月日時分秒間値測定局所名称番号地点交通量実績電力需要予測区域東西南北合計県市町"
        "村速度温湿風向量種別のをにはがでとアイウエオカキクケコサシスセソタチツテトナニヌ"
        "ネノハヒフヘホマミムメモヤユヨラリルレロワンー"
    ),
    "gb18030": (
        "年月日时分秒间站点名称编号监测数据流量速度浓度路口区域方向车道用电负荷能耗温湿度"
        "东西南北市县省合计值空气质量小型电力检测设备日期类型单位"
    ),
    "cp949": (
        "년월일시분초측정소명값지점교통량속도번호방향구간차로전력수요온도습합계동서남북시"
        "도군구중강종로역농기준량"
    ),
    "big5": (
        "年月日時分秒間站點名稱編號監測數據流量速度濃度路口區域方向車道用電負荷負載溫濕度"
        "東西南北市縣省合計值日期"
    ),
}
"""Characters that headers and names of sensors are full of."""
WORDS: Mapping[str, str] = {
    "cp1253": "ημερομηνία ώρα κατανάλωση σταθμ τιμή μέτρηση ισχύς",
    "cp1255": "תאריך שעה תחנה צריכה מונה",
    "cp1256": "التاريخ الوقت المحطة القيمة الاستهلاك الساعة",
    "cp874": "วันที่ เวลา สถานี",
    "cp1251": "дата час время станция значение потребление пост",
    "cp1250": "wartość średnia długość spotřeba měření výkon dátum řada",
    "cp1254": "değer dağıtım sıcaklık yoğunluk geçiş",
}
"""Words of headers by which encodings of one byte a letter are told from one another."""
_CYRILLIC = re.compile(rb"[\xc0-\xff]{4,}")
_POLISH = re.compile(rb"[a-z](\xb3|\xb9|\xbf)[a-z]")
"""ł, ą and ż within a word, where Western Europe has signs such as ³."""
_DIGITS = {ord(c): str(i) for some in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９")
           for i, c in enumerate(some)} | {ord("٫"): ".", ord("٬"): ","}  # fmt: skip
_FOREIGN = re.compile(rb"\xd9[\xa0-\xac]|\xdb[\xb0-\xb9]|\xef\xbc[\x90-\x99]")


def decoded(data: bytes) -> str:
    """Text that is no UTF-8, by the encoding whose usual characters it is full of."""
    head = data[:BYTES_TO_TELL_ENCODING].rpartition(b"\n")[0] or data[:BYTES_TO_TELL_ENCODING]
    shares = {encoding: _share(head, encoding) for encoding in USUAL}
    best = max(shares, key=lambda encoding: shares[encoding])
    if shares[best] >= SHARE_OF_USUAL_CHARACTERS:
        return data.decode(best, errors="replace")
    text = data[:BYTES_TO_TELL_ENCODING]
    for encoding, words in WORDS.items():
        if any(word in text.decode(encoding, errors="replace").lower() for word in words.split()):
            return data.decode(encoding, errors="replace")
    if _CYRILLIC.search(head):
        return data.decode("cp1251", errors="replace")
    return data.decode("cp1250" if _POLISH.search(head) else "cp1252", errors="replace")


def _share(head: bytes, encoding: str) -> float:
    """Which part of the characters beyond ASCII is usual; 0 if the bytes are not legal.

    Names of few sensors fill a long table, so the larger part counts: of all, or each once.
    """
    try:
        found = [c for c in head.decode(encoding) if ord(c) > 127]
    except UnicodeDecodeError:
        return 0.0
    return max(
        sum(c in USUAL[encoding] for c in some) / max(len(some), 1) for some in (found, {*found})
    )


def has_foreign_digits(data: bytes) -> bool:
    """Whether a text in UTF-8 has Arabic, Persian or wide digits."""
    return not data.isascii() and _FOREIGN.search(data) is not None


def with_plain_digits(data: bytes) -> bytes:
    """A text in UTF-8 with 0 to 9 for all digits.

    >>> with_plain_digits("٣٤٫٥".encode())
    b'34.5'
    """
    return data.decode("utf-8", errors="replace").translate(_DIGITS).encode()

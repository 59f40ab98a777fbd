"""Texts of pages and notices in several languages: gettext catalogues, read as they are."""

from __future__ import annotations

import ast
import gettext
from functools import lru_cache
from importlib.resources import files

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}
"""Catalogue → what its speakers call it; the first one is that of the templates."""

PROPOSALS = {
    "open": "Tuning anew is proposed",
    "started": "It is being tuned anew",
    "promoted": "The model that was tuned anew forecasts",
    "kept": "The model that was tuned anew is no better, so the old one stays",
    "dismissed": "A proposal to tune anew was dismissed",
}
"""State of a proposal → in words."""
POLICIES = {
    "nothing": "do nothing",
    "propose": "propose to tune anew",
    "retune": "tune anew, and promote what is better",
}
"""Policy → in words."""


class Catalogue(gettext.NullTranslations):
    """The texts of one language; what is not in it stays English."""

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__()
        self.texts = texts

    def gettext(self, message: str) -> str:
        """The text in this language."""
        return self.texts.get(message) or message


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Catalogue:
    """That of a language."""
    if language == next(iter(LANGUAGES)):
        return Catalogue({})
    place = files("citytune.serving") / "locales" / f"{language}.po"
    return Catalogue(read_po(place.read_text(encoding="utf-8")))


def read_po(text: str) -> dict[str, str]:
    r"""Message → text, of a catalogue without plurals and contexts.

    >>> read_po('# a comment\nmsgid "Peak"\nmsgstr "峰"\n"值"\n')
    {'Peak': '峰值'}
    """
    found: dict[str, str] = {}
    message, part = "", ""
    for line in text.splitlines():
        word, _, quoted = line.strip().partition(" ")
        if word in ("msgid", "msgstr"):
            part, said = word, ast.literal_eval(quoted)
            message, text = (said, "") if word == "msgid" else (message, said)
        elif line.startswith('"'):
            said = ast.literal_eval(line.strip())
            message, text = (message + said, "") if part == "msgid" else (message, text + said)
        if part == "msgstr" and message:
            found[message] = text
    return found


def language_of(wanted: str | None, accepted: str) -> str:
    """The language that was chosen, otherwise the first one that the browser accepts.

    >>> language_of(None, "de, zh-CN;q=0.9, en;q=0.8"), language_of("en", "zh")
    ('zh_CN', 'en')
    """
    if wanted in LANGUAGES:
        return str(wanted)
    ranked = sorted((_weight(one), i, one) for i, one in enumerate(accepted.split(",")[:20]))
    for _, _, one in ranked:
        main = one.partition(";")[0].strip().lower().partition("-")[0]
        found = [name for name in LANGUAGES if name.lower().partition("_")[0] == main]
        if found:
            return found[0]
    return next(iter(LANGUAGES))


def _weight(accepted: str) -> float:
    try:
        return -float(accepted.partition("q=")[2] or 1)
    except ValueError:
        return 0.0

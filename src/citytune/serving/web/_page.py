"""Make a page: a template in the visitor's language, with headers that let nothing foreign in."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader

from citytune._text import capital, chance, number, percent
from citytune.reporting import for_page, make_environment
from citytune.serving._words import LANGUAGES, POLICIES, PROPOSALS, catalogue, language_of
from citytune.serving.database import QUEUED, RUNNING
from citytune.serving.notices import alarm_words
from citytune.serving.web._reading import fields_in
from citytune.serving.web._stored import (
    STAGES,
    alert_words,
    quality_words,
    stage_words,
    why_words,
)

if TYPE_CHECKING:
    from citytune.serving.database import Alarm

CHOICE = "citytune_language"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    # With no-referrer a browser would not say from which page a form comes.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
}
YEAR = 365 * 86_400


def page(request: Request, template: str, status: int = 200, **contents: Any) -> HTMLResponse:
    """A template, filled; it escapes every text."""
    chosen = request.query_params.get("lang")
    known = chosen if chosen in LANGUAGES else request.cookies.get(CHOICE)
    language = language_of(known, request.headers.get("accept-language", ""))
    text = environment(language).get_template(template).render(
        contents,
        visitor=getattr(request.state, "visitor", None),
        needs_token=request.app.state.doorkeeper.needs_token,
        languages={name: _in(request, name) for name in LANGUAGES if name != language},
        version=version("citytune"),
    )  # fmt: skip
    answer = HTMLResponse(text, status, HEADERS | {"Content-Language": language.replace("_", "-")})
    if chosen in LANGUAGES:
        secure = request.url.scheme == "https"
        answer.set_cookie(CHOICE, chosen, YEAR, secure=secure, httponly=True, samesite="lax")
    return answer


@lru_cache(maxsize=len(LANGUAGES))
def environment(language: str) -> Environment:
    """Where the templates of a language are found, and the macros of the report."""
    places = [PackageLoader(f"citytune.{one}") for one in ("serving.web", "reporting")]
    made = make_environment(ChoiceLoader(places), "jinja2.ext.i18n")
    texts = catalogue(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        texts.gettext, texts.ngettext, newstyle=True
    )
    made.filters |= {"number": number, "percent": percent, "capital": capital}
    made.filters["moment"] = lambda at: "–" if at is None else at.strftime("%Y-%m-%d %H:%M")
    made.filters["chance"] = lambda share: texts.gettext(chance(share))
    made.filters["quality"] = lambda text: quality_words(text, texts.gettext)
    made.filters["why"] = lambda text: why_words(text, texts.gettext)
    made.filters["quantity"] = lambda name: texts.gettext(name.replace("_", " "))
    fields = fields_in(texts.gettext)
    made.filters["in_fields"] = lambda text: for_page(text, fields)
    made.filters["stage"] = lambda text: stage_words(text, texts.gettext)
    words = {one: texts.gettext(one) for one in (*STAGES, QUEUED, RUNNING)}
    made.globals["stage_words"] = json.dumps(words, ensure_ascii=False)
    made.globals |= {"language": language.replace("_", "-"), "names_of_languages": LANGUAGES}
    made.globals |= {"proposal_words": PROPOSALS, "policy_words": POLICIES}
    made.filters["alert"] = lambda text: alert_words(text, texts.gettext)
    made.filters["in_words"] = lambda alarm: _in_words(alarm, language)
    made.filters["sentence"] = lambda alarm: _sentence(alarm, language)
    return made


def _in_words(alarm: Alarm, language: str) -> str:
    said = alarm_words(alarm, language)
    return alert_words(said, catalogue(language).gettext) if alarm.kind == "alert" else said


def _sentence(alarm: Alarm, language: str) -> str:
    """An alarm with a capital letter, but for a sensor's name, which stays as it is."""
    words = _in_words(alarm, language)
    return words if alarm.sensor and words.startswith(alarm.sensor) else capital(words)


def _in(request: Request, language: str) -> str:
    """This page in another language; of a form that was sent, the first page."""
    if request.method != "GET":
        return f"/?lang={language}"
    return f"?{request.url.include_query_params(lang=language).query}"

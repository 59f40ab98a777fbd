"""What people are told, in their language: all its texts are in the catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citytune.serving._words import PROPOSALS, catalogue
from citytune.watching import KINDS, PHRASES
from citytune.watching import Alarm as Watched

if TYPE_CHECKING:
    from citytune.serving.database import Alarm

TITLES = {
    "alarm": ("1 alarm of {name}", "{count} alarms of {name}"),
    "alert": ("1 alert of {name}", "{count} alerts of {name}"),
    "job": ("1 job of {name} failed", "{count} jobs of {name} failed"),
    "stale": ("{name}: no new readings", "{name}: no new readings"),
}
"""Kind of notice → its title, of one thing and of several."""
PROPOSAL, JOB = "{name}: {state}", "{kind} (job {number}): {error}"
MORE = "… and {count} more"
STALE = (
    "The newest reading that the run has seen is {hours} hours old. See whether the source is "
    "still filled, and a schedule asks it often enough."
)
OVER, WORSE = "(it is over)", "(worse than told before)"
TEST, NOTHING = "A test notice", "This is a test; nothing happened."
TEXTS = (
    *(one for both in TITLES.values() for one in both), PROPOSAL, JOB, MORE, STALE, OVER, WORSE,
    TEST, NOTHING, *PHRASES,
)  # fmt: skip
"""All of them."""


def title_of(kind: str, name: str, count: int, state: str, language: str) -> str:
    """The title of a notice."""
    say = catalogue(language).gettext
    if kind == "proposal":
        return say(PROPOSAL).format(name=name, state=say(PROPOSALS.get(state, state)))
    one, several = TITLES[kind]
    return say(one if count == 1 else several).format(name=name, count=f"{count:,}")


def job_words(kind: str, number: int, error: str | None, language: str) -> str:
    """A job that failed; its error is as it was."""
    say = catalogue(language).gettext
    return say(JOB).format(kind=say(kind), number=number, error=error)


def alarm_words(alarm: Alarm, language: str) -> str:
    """An alarm in a language; as it was written where its kind is not one of citytune's own."""
    if language == "en":
        return alarm.text
    say, evidence = catalogue(language).gettext, dict(alarm.evidence)
    if alarm.watch == "source" and "hours" in evidence:
        return say(STALE).format(hours=f"{evidence['hours']:.0f}")
    since = evidence.pop("since", None)
    if alarm.watch != "watching" or alarm.kind not in KINDS or since is None:
        return alarm.text
    watched = Watched(alarm.kind, alarm.sensor or "", since, since, evidence=evidence)
    return watched.in_words(say)

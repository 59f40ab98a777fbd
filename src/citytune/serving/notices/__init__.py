"""Tell people what a server finds: gathered, kept in the database, and sent until it arrives."""

from citytune.serving.notices._deliver import deliver_due, try_channels
from citytune.serving.notices._gather import gather
from citytune.serving.notices._say import TEXTS, alarm_words
from citytune.serving.notices._send import Message, names_of, send

__all__ = [
    "Message", "TEXTS", "alarm_words", "deliver_due", "gather", "names_of", "send", "try_channels",
]  # fmt: skip

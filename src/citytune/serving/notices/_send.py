"""Send one message by one channel: post it, signed, or write an e-mail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import time
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from citytune._errors import InputError
from citytune.serving._channels import Mail, Notices, Webhook, filled
from citytune.serving._words import catalogue
from citytune.serving.notices._say import OVER, WORSE
from citytune.serving.sources import post

MARKS = {"worse": WORSE, "over": OVER}
"""What may be true of an item → how it is said."""
SILENCE = 20.0
"""Seconds without an answer after which a channel is given up for now."""


class Message(NamedTuple):
    """What is told."""

    event: str
    """Of the event, the same however often it is sent: by it a receiver drops a repeat."""
    kind: str
    title: str
    items: Sequence[dict[str, Any]]
    link: str
    """A page of the server; empty where `page` is not set."""
    language: str = "en"

    @property
    def text(self) -> str:
        """All of it, for people."""
        lines, say = [self.title, ""], catalogue(self.language).gettext
        for one in self.items:
            sensor = f"{one['sensor']}: " if one.get("sensor") else ""
            marks = [say(text) for mark, text in MARKS.items() if one.get(mark)]
            lines.append(" ".join([f"- {sensor}{one['text']}", *marks]))
        return "\n".join([*lines, "", self.link] if self.link else lines)


def send(message: Message, channel: Webhook | Mail, name: str, hosts: tuple[str, ...]) -> None:
    """Send a message.

    Args:
        message: What.
        channel: How.
        name: What errors call it.
        hosts: May be posted to although they are inside.

    Raises:
        InputError: it did not arrive, and why, without a secret.
    """
    if isinstance(channel, Webhook):
        _post(message, channel, name, hosts)
    else:
        _mail(message, channel, name)


def signed(secret: str, event: str, at: int, body: bytes) -> str:
    """The header `webhook-signature` of Standard Webhooks: HMAC-SHA256 of id, time and body."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            raise InputError("a secret that begins with whsec_ goes on in base64") from None
    sum_ = hmac.new(key, f"{event}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(sum_.digest()).decode()}"


def names_of(notices: Notices) -> dict[str, str]:
    """Channel → where it leads, without what is secret."""
    return {
        name: f"{urlsplit(one.url).scheme}://{urlsplit(one.url).netloc.rpartition('@')[2]}/…"
        if isinstance(one, Webhook)
        else ", ".join(one.to)
        for name, one in notices.channels.items()
    }


def _post(message: Message, channel: Webhook, name: str, hosts: tuple[str, ...]) -> None:
    at, event = int(time.time()), message.event.replace(" ", "-")
    data = {"title": message.title, "items": [*message.items], "link": message.link or None}
    said = {"type": message.kind, "id": event, "text": message.text, "data": data}
    body = json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "citytune",
               "webhook-id": event, "webhook-timestamp": str(at)}  # fmt: skip
    if channel.secret:
        headers["webhook-signature"] = signed(filled(channel.secret, name), event, at, body)
    post(filled(channel.url, name), body, headers, hosts=hosts, seconds=SILENCE, name=name)


def _mail(message: Message, channel: Mail, name: str) -> None:
    made = EmailMessage()
    made["Subject"] = " ".join(f"citytune: {message.title}".split())[:200]
    made["From"], made["To"] = channel.sender, ", ".join(channel.to)
    made["Date"], made["Auto-Submitted"] = formatdate(), "auto-generated"
    sum_ = hashlib.sha256(message.event.encode()).hexdigest()[:24]
    made["Message-ID"] = f"<{sum_}@{channel.sender.rpartition('@')[2]}>"
    made.set_content(message.text)
    user, password = filled(channel.user, name), filled(channel.password, name)
    try:
        with _server(channel) as server:
            if user:
                server.login(user, password)
            refused = server.send_message(made)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise InputError(f"{name} was not taken by {channel.host} ({_why(error)})") from None
    if refused:
        raise InputError(f"{channel.host} refused {', '.join(refused)}")


def _server(channel: Mail) -> smtplib.SMTP:
    trusted = ssl.create_default_context()
    if channel.security == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=SILENCE, context=trusted)
    server = smtplib.SMTP(channel.host, channel.port, timeout=SILENCE)
    if channel.security == "starttls":
        try:
            server.starttls(context=trusted)
        except BaseException:
            server.close()
            raise
    return server


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"{error.smtp_code} {' '.join(text.split())[:150]}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"

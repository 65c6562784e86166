"""Any service that the library apprise knows: one URL each. It blocks, so it has a thread."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import apprise
import msgspec
from apprise.attachment.memory import AttachMemory

from services.alerts.reach.chatrobots import robot_of
from services.alerts.reach.outbox import ChannelName
from services.alerts.reach.outgoing import Answer, Outgoing
from services.alerts.reach.secrets import Scrubber
from services.alerts.reach.threads import OwnThread
from shared.errors import SettingsError

_HOST_IS_PUBLIC: Final = ("json", "xml", "form", "mailto", "alertmanager")  # elsewhere the host part is a token
_memory: Any = AttachMemory  # it has no types
_KINDS: Final = {
    "critical": apprise.NotifyType.FAILURE,
    "warning": apprise.NotifyType.WARNING,
    "info": apprise.NotifyType.INFO,
}


class AppriseChannel:
    """One URL. All of it is secret, but for the host where that is none of the service's own tokens."""

    def __init__(self, url: str, where: str) -> None:
        """Raises SettingsError naming the place, and not the content."""
        self._plugin: Any = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if self._plugin is None:
            scheme = url.partition("://")[0][:20]
            raise SettingsError(
                f"{where} ({scheme}://...) is not a notification URL; "
                "examples: mailto://user:password@host?to=someone@host, json://host/path, slack://..."
            )
        if self._plugin.request_rate_per_sec == apprise.NotifyBase.request_rate_per_sec:
            # apprise waits 5.5 s between two messages of whom it knows no limit of, a mail server too; we have a limit of our own
            self._plugin.request_rate_per_sec = 0
        self.robot = robot_of(_schemas(self._plugin))
        self.name = ChannelName(hashlib.sha256(url.encode()).hexdigest()[:16], _label(self._plugin))
        self._scrub = Scrubber(url, public=(self._plugin.host,) if _is_public(self._plugin) else ())
        self._thread = OwnThread()

    async def send(self, one: Outgoing) -> Answer:
        """One attempt; takes seconds when the other side is slow."""
        answer = await self._thread.run(lambda: self._send(one))
        return msgspec.structs.replace(answer, text=self._scrub(answer.text))

    def _send(self, one: Outgoing) -> Answer:
        """apprise tells that it failed by its return value, and why only in its log."""
        with _listening() as said:
            try:
                ok = bool(self._plugin.notify(**self._content(one), notify_type=_KINDS[one.severity]))
            except Exception as exc:  # noqa: BLE001  (a hundred plugins; whatever one raises is its answer)
                return Answer(False, f"{type(exc).__name__}: {exc}")
        why = "; ".join(said)
        return Answer(ok, "accepted" if ok else why or "refused, without a reason", maybe=not ok and _may_be_there(why))

    def _content(self, one: Outgoing) -> dict[str, Any]:
        message = one.message
        content: dict[str, Any] = {
            "title": message.title,
            "body": message.body or message.title,
            "body_format": apprise.NotifyFormat.TEXT,
        }
        if message.html and apprise.NotifyFormat.HTML in _formats(self._plugin):
            content |= {"body": message.html, "body_format": apprise.NotifyFormat.HTML}
        elif self._plugin.title_maxlen <= 0 and one.form == "short":  # SMS and the like: one line
            content |= {"title": "", "body": " · ".join(part for part in (message.title, message.body) if part)}
        if message.attachments and self._plugin.attachment_support:
            content["attach"] = apprise.AppriseAttachment(
                [_memory(file.content, name=file.name, mimetype=file.media_type) for file in message.attachments]
            )
        return content


class _Ear(logging.Filter):
    """Hears what apprise logs, each thread for itself. Why somebody refused it says below WARNING only, as `_WHY` has it; that is
    for us alone, because it may repeat what is secret.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        loud = record.levelno >= logging.WARNING
        said: list[str] | None = getattr(self.heard, "said", None)
        if said is not None and (loud or str(record.msg).startswith(_WHY)):
            text = _WHY_PREFIX.sub("", record.getMessage()).strip()
            if text not in ("", "b''"):
                said.append(text)
        return record.levelno >= max(logging.WARNING, logging.getLogger().level)


_WHY: Final = ("Socket Exception:", "Response Details:")
_WHY_PREFIX: Final = re.compile("^(" + "|".join(_WHY) + ")")
# as requests and urllib3 say it
_NO_ANSWER: Final = ("Read timed out", "Connection aborted", "Connection broken", "Response ended prematurely")
_MAIL_BEGUN: Final = "Sending email to"  # apprise's words once it has logged in
_NO_ANSWER_TO_MAIL: Final = ("timed out", "Connection unexpectedly closed", "Connection reset")
_LOGGER: Final = logging.getLogger("apprise")
_EAR: Final = _Ear()
_LOGGER.addFilter(_EAR)


@contextmanager
def _listening() -> Iterator[list[str]]:
    said: list[str] = []
    _LOGGER.setLevel(logging.DEBUG)  # whoever sets up logging made it quiet; the ear lets nothing of it pass
    _EAR.heard.said = said
    try:
        yield said
    finally:
        _EAR.heard.said = None


def _may_be_there(why: str) -> bool:
    """Whether what apprise said of a failure leaves it open. Connections that were never made and refusals do not."""
    if _MAIL_BEGUN in why:
        return any(words in why for words in _NO_ANSWER_TO_MAIL)
    return any(words in why for words in _NO_ANSWER)


def _formats(plugin: Any) -> tuple[Any, ...]:
    found = plugin.notify_format
    return found if isinstance(found, tuple) else (found,)


def _schemas(plugin: Any) -> frozenset[str]:
    return frozenset(plugin.schemas())


def _is_public(plugin: Any) -> bool:
    return bool({plugin.protocol, plugin.secure_protocol} & set(_HOST_IS_PUBLIC)) and bool(plugin.host)


def _label(plugin: Any) -> str:
    name = str(plugin.service_name)
    return f"{name} {plugin.host}" + (f":{plugin.port}" if plugin.port else "") if _is_public(plugin) else name

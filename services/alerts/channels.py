"""Where notifications go: any service that the library apprise knows, one URL each. Blocking, so it runs in a thread."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apprise
from msgspec import Struct

from services.alerts.outbox import ChannelName
from shared.errors import SettingsError

_HOST_IS_PUBLIC = ("json", "xml", "form", "mailto", "alertmanager")  # elsewhere the host part of the URL is a token
_LONGEST_ANSWER = 500
_KINDS = {
    "critical": apprise.NotifyType.FAILURE,
    "warning": apprise.NotifyType.WARNING,
    "info": apprise.NotifyType.INFO,
}


class Answer(Struct, frozen=True):
    """How one attempt ended, with what the channel said about a failure."""

    ok: bool
    text: str


class Channels:
    """The configured channels by their key."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises SettingsError naming the entry (not its content, which is a secret)."""
        self._plugins: dict[str, Any] = {}
        labels: Counter[str] = Counter()
        self.names: list[ChannelName] = []
        for number, url in enumerate(urls, start=1):
            plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
            if plugin is None:
                scheme = url.partition("://")[0][:20]
                raise SettingsError(
                    f"ALERTS_NOTIFY_URLS: entry {number} ({scheme}://...) is not a notification URL; "
                    "examples: mailto://user:password@host?to=someone@host, json://host/path, slack://..."
                )
            key = hashlib.sha256(url.encode()).hexdigest()[:16]
            if key in self._plugins:
                raise SettingsError(f"ALERTS_NOTIFY_URLS: entry {number} is there twice")
            self._plugins[key] = plugin
            label = _label(plugin)
            labels[label] += 1
            self.names.append(ChannelName(key, label if labels[label] == 1 else f"{label} ({labels[label]})"))

    async def send(self, key: str, title: str, body: str, severity: str) -> Answer | None:
        """One attempt; None when no such channel is configured any more. Takes seconds when the other side is slow."""
        plugin = self._plugins.get(key)
        if plugin is None:
            return None
        return await asyncio.to_thread(_send, plugin, title, body, severity)


def _send(plugin: Any, title: str, body: str, severity: str) -> Answer:
    """apprise tells that it failed by its return value, and why only in its log."""
    with _listening() as said:
        try:
            ok = bool(
                plugin.notify(body=body, title=title, notify_type=_KINDS.get(severity, apprise.NotifyType.WARNING))
            )
        except Exception as exc:  # noqa: BLE001  (a hundred plugins; whatever one raises is its answer)
            return Answer(False, f"{type(exc).__name__}: {exc}"[:_LONGEST_ANSWER])
    text = "; ".join(said)[:_LONGEST_ANSWER]
    return Answer(ok, "accepted" if ok else text or "refused, without a reason")


class _Ear(logging.Handler):
    """Hears what apprise logs in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.said.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    logger = logging.getLogger("apprise")
    ear = _Ear()
    logger.addHandler(ear)
    try:
        yield ear.said
    finally:
        logger.removeHandler(ear)


def _label(plugin: Any) -> str:
    name = str(plugin.service_name)
    schemas = {plugin.protocol, plugin.secure_protocol}
    if schemas & set(_HOST_IS_PUBLIC) and plugin.host:
        return f"{name} {plugin.host}" + (f":{plugin.port}" if plugin.port else "")
    return name

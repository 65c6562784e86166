"""The receivers of the alert file: who is told, by what, how much at most, and who is told instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, field

from services.alerts.core.sending import Form, Language, Limit, loop_in
from shared.errors import SettingsError

Duration = str | int | float


class WebhookConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Our own JSON by HTTP POST, signed where there is a `secret`. Both as they are, or as `env:NAME` or `file:PATH`."""

    url: str
    secret: str = ""


class AlertmanagerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Prometheus Alertmanager. `url`: its address, without `/api/v2`; `labels`: further ones for each alert."""

    url: str
    labels: dict[str, str] = field(default_factory=dict)


class LimitConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """At most `burst` messages at once, and one more for each `every`; what comes on top goes together in one message."""

    burst: int
    every: Duration


class ReceiverConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told. `notify`: apprise URLs, or the environment variables (`env:NAME`) or files (`file:PATH`) that hold one.

    `then`: the receiver that is told instead when this one cannot be reached. `template`: a file with texts of one's own.
    """

    notify: tuple[str, ...] = ()
    webhook: WebhookConfig | None = None
    alertmanager: AlertmanagerConfig | None = None
    language: Language = "both"
    form: Form = "long"
    then: str = ""
    at_most: LimitConfig | None = None
    template: str = ""


class Webhook(Struct, frozen=True):
    """`where` it stands, for messages about it: the rest is secret."""

    url: str
    secret: str
    where: str


class Alertmanager(Struct, frozen=True):
    url: str
    labels: dict[str, str]
    where: str


class OwnTemplate(Struct, frozen=True):
    """Texts of one's own: the content of the file, its name, and where the alert file names it."""

    text: str
    name: str
    where: str


class Receiver(Struct, frozen=True):
    """Whom a route tells. `urls`: of apprise, which are secret, each with where it stands for messages about it."""

    name: str
    urls: tuple[tuple[str, str], ...] = ()
    webhook: Webhook | None = None
    alertmanager: Alertmanager | None = None
    language: Language = "both"
    form: Form = "long"
    then: str = ""
    limit: Limit = Limit()
    template: OwnTemplate | None = None


class Reading(Struct, frozen=True):
    """What is needed of the file that is being read; every function takes the key of what it reads last."""

    where: Callable[[str], str]
    secret: Callable[[str, str], str]
    duration: Callable[[Duration, str], timedelta]
    numbered: Callable[[str, Sequence[str]], Iterable[tuple[str, str]]]

    def wrong(self, key: str, what: str) -> SettingsError:
        return SettingsError(f"{self.where(key)}: {what}")


def read_receivers(configs: Mapping[str, ReceiverConfig], file: Reading) -> dict[str, Receiver]:
    """All of them, checked. Raises SettingsError that names file, line and key."""
    found = {name: _receiver(name, one, file) for name, one in configs.items()}
    then = {name: one.then for name, one in found.items()}
    for name, one in then.items():
        if one and one not in found:
            there = ", ".join(sorted(found))
            raise file.wrong(f"receivers.{name}.then", f"there is no receiver {one!r}; there are: {there}")
    if (name := loop_in(then)) != "":
        raise file.wrong(f"receivers.{name}.then", f"{name} would fall over to itself in the end")
    return found


def _receiver(name: str, one: ReceiverConfig, file: Reading) -> Receiver:
    key = f"receivers.{name}"
    urls: list[tuple[str, str]] = []
    for number, written in enumerate(one.notify):
        at = f"{key}.notify[{number}]"
        urls += file.numbered(file.where(at), file.secret(written, at).split())
    return Receiver(
        name=name,
        urls=tuple(urls),
        webhook=_webhook(one.webhook, f"{key}.webhook", file) if one.webhook else None,
        alertmanager=_alertmanager(one.alertmanager, f"{key}.alertmanager", file) if one.alertmanager else None,
        language=one.language,
        form=one.form,
        then=one.then,
        limit=_limit(one.at_most, f"{key}.at_most", file) if one.at_most else Limit(),
        template=_template(one.template, f"{key}.template", file) if one.template else None,
    )


def _webhook(one: WebhookConfig, key: str, file: Reading) -> Webhook:
    url = _url(one.url, f"{key}.url", file)
    secret = file.secret(one.secret, f"{key}.secret").strip()
    if one.secret and not secret:
        raise file.wrong(f"{key}.secret", f"{one.secret} is empty: nothing would be signed")
    return Webhook(url, secret, file.where(key))


def _alertmanager(one: AlertmanagerConfig, key: str, file: Reading) -> Alertmanager:
    return Alertmanager(_url(one.url, f"{key}.url", file).rstrip("/"), one.labels, file.where(key))


def _url(written: str, key: str, file: Reading) -> str:
    found = file.secret(written, key).strip()
    try:
        parts = urlsplit(found)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or not found.isascii() or any(c.isspace() for c in found):
        raise file.wrong(key, "expected an address that begins with https:// or http://")
    return found


def _limit(one: LimitConfig, key: str, file: Reading) -> Limit:
    every = file.duration(one.every, f"{key}.every")
    if one.burst < 1:
        raise file.wrong(f"{key}.burst", "expected at least 1")
    if every <= timedelta(0):
        raise file.wrong(f"{key}.every", "expected longer than nothing")
    return Limit(one.burst, every)


def _template(written: str, key: str, file: Reading) -> OwnTemplate:
    path = Path(written)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise file.wrong(key, f"{path} cannot be read: {exc}") from exc
    return OwnTemplate(text, path.name, file.where(key))

"""Our own webhook: the facts as JSON, signed. `docs/webhook.schema.json` is the JSON Schema of the body.

    X-Floorwatch-Signature: t=1764000000,v1=hex(HMAC-SHA256(secret, "1764000000." + body))

The time is part of what is signed, so that an old message cannot be sent again by somebody else. `Idempotency-Key` is the same
for each copy of a message: who keeps the keys of the last days can drop what comes twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from services.alerts.alertfile.receivers import Webhook
from services.alerts.core.course import Coming
from services.alerts.core.incident import Condition, State
from services.alerts.links import home_url, incident_url
from services.alerts.reach.outbox import ChannelName
from services.alerts.reach.outgoing import Answer, Kind, Outgoing, Told
from services.alerts.reach.posting import post
from services.alerts.reach.secrets import Scrubber
from services.alerts.reach.threads import OwnThread
from shared.facts import Severity

MOST_INCIDENTS: Final = 100


class Summary(Struct, frozen=True):
    en: str
    zh: str


class IncidentBody(Struct, frozen=True):
    """An incident as it stood when the message was written."""

    number: Annotated[int, Meta(description="The number people use: #42")]
    telling: Annotated[int, Meta(description="The how manieth time that people are told of it")]
    reason: Annotated[
        str, Meta(description="opened, reopened, worse, more, reminder, escalated, resolved, recheck, ...")
    ]
    site: str
    rule: str
    subject: str
    subject_id: Annotated[str, Meta(description="Empty when it is about several")]
    severity: Severity
    state: State
    condition: Annotated[Condition, Meta(description="Whether what was flagged still holds")]
    simulated: Annotated[bool, Meta(description="From a simulated floor: nobody is on the phone")]
    replay: Annotated[bool, Meta(description="A recording played back")]
    summary: Summary
    labels: dict[str, str]
    started: Annotated[datetime, Meta(description="Since when the condition holds; the switch's clock")]
    opened_at: Annotated[datetime, Meta(description="Wall clock, as every *_at")]
    resolved_at: datetime | None
    owner: str
    flags: int
    next: Annotated[
        Coming | None,
        Meta(description="Whom it is told to, when and why, if nobody acknowledges; null: nobody, or one of several"),
    ]
    link: str


class FileBody(Struct, frozen=True):
    name: str
    media_type: str
    content: Annotated[str, Meta(description="Base64")]


class WebhookBody(Struct, frozen=True):
    """What a receiver of kind webhook is sent."""

    version: Annotated[Literal[1], Meta(description="Of this format; fields may be added without a change of it")]
    key: Annotated[str, Meta(description="The same for each copy of this message; also the header Idempotency-Key")]
    kind: Kind
    receiver: Annotated[str, Meta(description="As the alert file names it")]
    instead_of: Annotated[str, Meta(description="The receiver that could not be reached; empty: none")]
    may_be_repeated: Annotated[bool, Meta(description="A copy may have been sent before, without our knowing")]
    severity: Severity
    title: str
    text: str
    sent_at: datetime
    incident_count: int
    incidents: Annotated[list[IncidentBody], Meta(description="The worst first, at most 100")]
    link: Annotated[str, Meta(description="The page with all of them")]
    files: list[FileBody]


def schema() -> dict[str, Any]:
    """The JSON Schema of the body."""
    return msgspec.json.schema(WebhookBody)


class WebhookChannel:
    """One webhook. Secrets: the address, but for its host, and the key of the signature."""

    robot = None

    def __init__(self, config: Webhook, public_url: str) -> None:
        self._url, self._secret = config.url, config.secret
        self._public_url = public_url
        host = urlsplit(config.url).netloc.rpartition("@")[2]
        self.name = ChannelName(hashlib.sha256(f"webhook {config.url}".encode()).hexdigest()[:16], f"Webhook {host}")
        self._scrub = Scrubber(config.url, config.secret, public=host.split(":"))
        self._thread = OwnThread()

    async def send(self, one: Outgoing) -> Answer:
        """One attempt."""
        body = msgspec.json.encode(self._body(one))
        headers = {"Idempotency-Key": one.key, "User-Agent": "floorwatch"}
        if self._secret:
            headers["X-Floorwatch-Signature"] = signature(self._secret, int(one.at.timestamp()), body)
        answer = await self._thread.run(lambda: post(self._url, body, headers, one.at))
        return msgspec.structs.replace(answer, text=self._scrub(answer.text))

    def _body(self, one: Outgoing) -> WebhookBody:
        return WebhookBody(
            version=1,
            key=one.key,
            kind=one.kind,
            receiver=one.receiver,
            instead_of=one.instead_of,
            may_be_repeated=one.again,
            severity=one.severity,
            title=one.message.title,
            text=one.message.body,
            sent_at=one.at,
            incident_count=len(one.told),
            incidents=[self._incident(told) for told in one.told[:MOST_INCIDENTS]],
            link=home_url(self._public_url),
            files=[
                FileBody(file.name, file.media_type, base64.b64encode(file.content).decode())
                for file in one.message.attachments
            ],
        )

    def _incident(self, told: Told) -> IncidentBody:
        same = {name: getattr(told, name) for name in IncidentBody.__struct_fields__ if hasattr(told, name)}
        return IncidentBody(
            summary=Summary(told.summary_en, told.summary_zh), link=incident_url(self._public_url, told.number), **same
        )


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of the header: the time in seconds since 1970 and the code over both, so that neither can be changed."""
    code = hmac.new(secret.encode(), b"%d.%s" % (timestamp, body), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={code}"

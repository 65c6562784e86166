"""From a record of `floor.flags` to what the core knows. Caller numbers are masked here: the database never holds one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.alerts.core.evidence import numbers_in
from services.alerts.core.incident import Clearing, Flag
from shared import facts
from shared.bus import Record
from shared.codec import decode_fact
from shared.errors import InvalidInput
from shared.masking import masked, masked_deep, masked_text
from shared.tracing import trace_of

_NUL, _REPLACEMENT = rb"\u0000", rb"\ufffd"  # PostgreSQL stores any character but NUL


def read(record: Record) -> Flag | Clearing:
    """The flag, or the end of one, in `record`.

    Raises InvalidInput: `not_json`, `invalid_event`, `not_a_flag` (another kind of fact), `no_time_zone`.
    """
    fact = decode_fact(record.value.replace(_NUL, _REPLACEMENT))
    data = fact.data
    if isinstance(data, facts.FlagRaised | facts.FlagCleared) and not data.flag_id:
        raise InvalidInput("invalid_event", "$.data.flag_id is empty")  # all without a name would be one
    if isinstance(data, facts.FlagRaised):
        return _flag(data, fact.site, trace_of(fact.traceparent))
    if isinstance(data, facts.FlagCleared):
        return _clearing(data, trace_of(fact.traceparent))
    raise InvalidInput("not_a_flag", f"{type(data).__name__} does not belong on {record.topic}")


def _flag(data: facts.FlagRaised, site: str, trace: str) -> Flag:
    seen: Mapping[str, Any] = {"labels": data.labels, "evidence": data.evidence}
    secret = {number: masked(number) for number in numbers_in(seen)}
    return Flag(
        flag_id=data.flag_id,
        site=site,
        rule=data.rule,
        severity=data.severity,
        subject=data.subject,
        subject_id=data.subject_id,
        started=_aware(data.started_at, "started_at"),
        raised=_aware(data.raised_at, "raised_at"),
        summary_en=_without(data.summary_en, secret),
        summary_zh=_without(data.summary_zh, secret),
        labels=masked_deep(data.labels),
        evidence=masked_deep(data.evidence),
        simulated=data.simulated,
        replay=data.replay,
        trace=trace,
    )


def _clearing(data: facts.FlagCleared, trace: str) -> Clearing:
    return Clearing(
        flag_id=data.flag_id,
        cleared=_aware(data.cleared_at, "cleared_at"),
        duration_s=data.duration_s,
        evidence=masked_deep(data.evidence),
        trace=trace,
    )


def _aware(value: datetime, name: str) -> datetime:
    if value.tzinfo is None:
        raise InvalidInput("no_time_zone", f"{name} {value.isoformat()} has no time zone")
    return value


def _without(sentence: str, secret: Mapping[str, str]) -> str:
    for number, shown in sorted(secret.items(), key=lambda pair: -len(pair[0])):
        sentence = sentence.replace(number, shown)
    return masked_text(sentence)

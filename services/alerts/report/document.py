"""The incident report (突发事件报告), written from the facts: HTML to print, Markdown to paste.

Everything in it comes from the database; nothing is phrased by hand. `lang` is `en` or `zh`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from markupsafe import Markup
from msgspec import Struct

from services.alerts.api.detailviews import DetailView, FlagView, LegView, NotificationView, TransferView
from services.alerts.api.views import ActionView
from services.alerts.core.evidence import plain_rows
from services.alerts.core.impact import Impact
from services.alerts.report import drawings
from services.alerts.report.drawings import Picture
from services.alerts.report.story import Story, response_of
from services.alerts.report.words import Words
from services.alerts.text import TEMPLATES, Text
from shared.codewords import Kind, Language, word_for
from shared.durationwords import exact
from shared.siteconfig import SiteConfig

STYLE = (TEMPLATES / "report.css").read_text(encoding="utf-8")
# the report is one file that can be saved and mailed, so its style is inside it and allowed by its hash, as are its pictures
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MOST_WHOLE = 3  # flags whose evidence is printed whole; further ones are a line each
MOST_FLAGS = 60  # flags that are printed at all; a storm of thousands is a picture and its numbers
MOST_NAMED = 8  # agents, callers, calls
MOST_LINES = 200  # of the timeline
TONES = {"critical": "#b8231a", "warning": "#8a5a00", "info": "#0a5cb0"}
AFFECTED = ("agent", "team", "call", "from_number", "queue", "target", "to_queue")  # labels worth a line, in order
_STAMP_FIELDS = ("requested", "ringing", "answered", "bridged", "released", "ended")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_SHOWN_WITH_TRANSFER = {*_STAMP_FIELDS, *(f"{name}_at" for name in _STAMP_FIELDS)} | {
    *("seek_s", "ring_s", "brief_s", "customer_gap_s", "total_s", "slow"),
    *("kind", "outcome", "from_agent", "to_agent", "to_queue", "transfer_id", "call_id"),
}
_WHAT_PEOPLE_DO = ("acknowledged", "assigned", "resolved", "note", "rechecked", "action_added", "action_done")


class Sendings(Struct, frozen=True):
    """Notifications that went the same way. `last`: "" for one alone."""

    channel: str
    result: str
    first: str
    last: str
    attempts: int
    answer: str


class Report:
    """One report, ready to be rendered. `impact` is that of all its flags, also of those that `detail` has left out."""

    def __init__(self, text: Text, detail: DetailView, impact: Impact, language: Language, now: datetime) -> None:
        self._text = text
        self._detail = detail
        self._impact = impact
        self._now = now
        self._words = Words(language)
        self._story = Story(text, self._words, detail, impact, now)

    def html(self) -> str:
        return self._text.environment.get_template("report.html.j2").render(self._values())

    def markdown(self) -> str:
        return self._text.environment.get_template("report.md.j2").render(self._values())

    def _values(self) -> dict[str, Any]:
        incident, words = self._detail.incident, self._words
        flags = self._detail.flags
        shown = len(flags) if len(flags) <= MOST_WHOLE + 1 else MOST_WHOLE
        site: SiteConfig = self._text.sites.site(incident.site)
        lines = self._story.lines()
        done = [one for one in self._detail.timeline if one.kind in _WHAT_PEOPLE_DO]
        return {
            "css": Markup(STYLE),
            "lang": "zh-CN" if words.language == "zh" else "en",
            "w": words.all,
            "incident": incident,
            "summary": self._say(incident.summary),
            "sentences": self._story.sentences(),
            "rule": words.get(f"rule.{incident.rule}", incident.rule),
            "site": site.label or incident.site,
            "zone": f"{site.time_zone} (UTC{self._text.local(self._now, incident.site)[-6:]})",
            "detail": self._detail,
            "affected": self._affected(),
            "impact": self._numbers(),
            "conditions": self._conditions(),
            "response": self._response(),
            "flags": [self._flag(flag) for flag in flags[:shown]],
            "further": [self._row(flag) for flag in flags[shown:MOST_FLAGS]],
            "flags_left": max(0, self._impact.flags - min(len(flags), MOST_FLAGS)),
            "timeline": lines[:MOST_LINES],
            "lines_left": max(0, len(lines) - MOST_LINES) + self._detail.totals.timeline - len(self._detail.timeline),
            "done": [(entry, self._story.happened(entry)) for entry in done],
            "say": words.say,
            "status_of": self._status_of,
            "recheck": self._recheck(),
            "notifications": self._notifications(),
            "time": self._time,
            "exact": lambda value: self._text.exact(value, incident.site),
            "link": self._text.link(incident.id),
            "written": self._now,
            "leg_text": self._leg,
            "seconds": lambda value: "–" if value is None else words.tenths(value),
        }

    def _numbers(self) -> list[tuple[str, str]]:
        words, impact, response = self._words, self._impact, response_of(self._detail)
        counts = {
            "flags": impact.flags,
            "calls": len(impact.calls),
            "customers": impact.customers,
            "transfers": impact.transfers,
            "agents": len(impact.agents),
            "queues": len(impact.queues),
        }
        times = {
            "lasted": impact.lasted_s,
            "held": impact.held_s if impact.flags > 1 else None,
            "unheard": impact.unheard_s,
            "told": response.told_s,
            "taken": response.taken_s,
            "resolved": response.resolved_s,
        }
        shown = [(name, str(number)) for name, number in counts.items() if number]
        shown += [(name, words.duration(value)) for name, value in times.items() if value is not None]
        return [(words[f"i.{name}"], value) for name, value in shown]

    def _conditions(self) -> Picture | None:
        """One flag needs no picture of when it held."""
        spans = self._impact.spans
        if len(spans) < 2:
            return None
        until = max(span.ended or span.raised for span in spans)
        site = self._detail.incident.site
        times = [self._text.local(at, site)[:19] for at in (min(span.started for span in spans), until)]
        tone = TONES[self._detail.incident.severity]
        return drawings.of_conditions(spans, until, times, tone, self._words["conditions"])

    def _response(self) -> Picture | None:
        marks = self._story.marks()
        if len(marks) < 2:
            return None
        return drawings.of_response(marks, alt=f"{self._words['response']}: {'; '.join(mark.text for mark in marks)}")

    def _say(self, summary: Any) -> str:
        return str(summary.zh or summary.en) if self._words.language == "zh" else str(summary.en)

    def _time(self, value: datetime | None) -> str:
        return (
            "–" if value is None else self._text.local(value, self._detail.incident.site)[:19]
        )  # the footer names the zone

    def _affected(self) -> list[tuple[str, str]]:
        """Whom and what, by name where there is one; of very many the first."""
        incident, words = self._detail.incident, self._words
        values: dict[str, dict[str, str]] = {}
        for flag in self._detail.flags:
            seen = {**flag.evidence, **flag.labels}
            for name in AFFECTED:
                value = seen.get(name)
                if isinstance(value, str) and value:
                    person = flag.labels.get(f"{name}_name", "")
                    values.setdefault(name, {})[value] = f"{person} ({value})" if person else value
            if target := flag.evidence.get("to_agent"):
                values.setdefault("target", {})[str(target)] = str(target)
        if incident.subject_id:
            values.setdefault(incident.subject, {}).setdefault(incident.subject_id, incident.subject_id)
        names = (*AFFECTED, *(name for name in (incident.subject,) if name not in AFFECTED))
        return [
            (words.get(f"label.{name}", name), self._some(list(values[name].values())))
            for name in names
            if name in values
        ]

    def _status_of(self, one: ActionView) -> str:
        if one.done_at is not None:
            return self._words.say("action.done", at=self._time(one.done_at), by=one.done_by)
        return self._words["action.overdue" if one.overdue else "action.open"]

    def _notifications(self) -> list[Sendings]:
        """What went to the same channel with the same answer is one line: a reminder each hour is not a page."""
        alike: dict[tuple[str, str, str], list[NotificationView]] = {}
        for one in self._detail.notifications:
            answer = "" if one.state == "no_channel" else one.answer
            alike.setdefault((one.channel, one.state, answer), []).append(one)
        found = []
        for (channel, state, answer), sent in alike.items():
            times = sorted(one.finished_at or one.created_at for one in sent)
            many = f" × {len(sent)}" if len(sent) > 1 else ""
            found.append(
                Sendings(
                    channel=channel,
                    result=self._words[f"sent.{state}"] + many,
                    first=self._time(times[0]),
                    last=self._time(times[-1]) if many else "",
                    attempts=sum(len(one.attempts) for one in sent),
                    answer=answer,
                )
            )
        return found

    def _recheck(self) -> str:
        on = self._detail.incident.recheck_on
        if on is None:
            return self._words["recheck.none"]
        resolved = [one.seq for one in self._detail.timeline if one.kind == "resolved"]
        made = any(one.kind == "rechecked" and one.seq > max(resolved, default=0) for one in self._detail.timeline)
        return self._words.say("recheck.over" if made else "recheck.due", date=on)

    def _some(self, found: list[str]) -> str:
        some = self._words["comma"].join(found[:MOST_NAMED])
        return some if len(found) <= MOST_NAMED else self._words.say("others", some=some, n=len(found) - MOST_NAMED)

    def _row(self, flag: FlagView) -> tuple[str, str, str]:
        """A flag in a line: when, about what, how long."""
        about = self._name_of(flag)
        lasted = "–" if flag.duration_s is None else self._words.duration(flag.duration_s)
        return self._time(flag.started), about, lasted

    def _name_of(self, flag: FlagView) -> str:
        names = [
            f"{self._words.get(f'label.{name}', name)} {flag.labels[name]}"
            for name in AFFECTED
            if flag.labels.get(name)
        ]
        return self._words["comma"].join(names) or self._say(flag.summary)

    def _flag(self, flag: FlagView) -> dict[str, Any]:
        transfer = flag.transfer
        skip = {"site"} | (_SHOWN_WITH_TRANSFER if transfer else set())
        shown = {**flag.evidence, **{k: v for k, v in flag.cleared_evidence.items() if v is not None}}
        legs = found if isinstance(found := shown.pop("legs", None), list) else []
        rows = [(self._named(name), self._shown(value, name)) for name, value in plain_rows(shown) if name not in skip]
        rows += [self._party(leg) for leg in legs if isinstance(leg, Mapping)]
        return {
            "flag": flag,
            "summary": self._say(flag.summary),
            "transfer": transfer,
            "picture": self._drawn(transfer) if transfer else None,
            "rows": rows,
        }

    def _party(self, leg: Mapping[str, Any]) -> tuple[str, str]:
        """Who is on a leg of the call, in which role: `Agent`, `1003 · talking · 09:05:07`."""
        role = str(leg.get("role", ""))
        said = [str(leg.get("agent_id") or ""), *(self._shown(str(leg.get(name) or "")) for name in ("state", "since"))]
        return self._words.get(f"role.{role}", role), " · ".join(filter(None, said)) or "–"

    def _shown(self, value: str, name: str = "") -> str:
        if _ISO_TIME.match(value):
            with suppress(ValueError, OverflowError):  # a name that only looks like a time, or one of no calendar
                return self._time(datetime.fromisoformat(value))
        if name.endswith("_s") and re.fullmatch(r"\d+(\.\d+)?", value):
            return exact(float(value), self._words.language)
        kind: Kind = "reason" if name == "reason" else "value"
        return word_for(kind, value, self._words.language) or value

    def _leg(self, leg: LegView) -> str:
        if leg.seconds is None and leg.open_s is not None:
            return f"{self._words['unfinished']} {self._words.tenths(leg.open_s)}"
        return "–" if leg.seconds is None else self._words.tenths(leg.seconds)

    def _named(self, name: str) -> str:
        kind, dot, code = name.partition(".")
        if kind == "channels" and dot:
            return code  # by its own name
        if kind == "reasons" and dot:  # how many records could not be read, for each reason
            return word_for("refusal", code, self._words.language) or code
        return self._words.get(f"evidence.{name}", name.replace("_", " "))

    def _drawn(self, transfer: TransferView) -> Picture:
        words = self._words
        limit = f"{words['limit']} {words.tenths(transfer.limit_s)}"
        names = {leg.name: words[f"leg.{leg.name}"] for leg in transfer.legs}
        said = {leg.name: f"{names[leg.name]} {self._leg(leg)}" for leg in transfer.legs}
        alt = f"{words['transfer']}: {words['comma'].join([*said.values(), limit])}"
        return drawings.of_transfer(transfer, said, limit, alt)

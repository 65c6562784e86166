"""The incident report (突发事件报告), written from the facts: HTML to print, Markdown to paste, JSON to keep.

Everything in it comes from the database; nothing is phrased by hand. `lang` is `en` or `zh`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime
from functools import cache
from typing import Any, Literal

from markupsafe import Markup
from msgspec import Struct

from services.alerts.core.evidence import plain_rows
from services.alerts.text import TEMPLATES, Text
from services.alerts.views import DetailView, EntryView, FlagView, LegView, TransferView
from shared.siteconfig import SiteConfig

Language = Literal["en", "zh"]
STYLE = (TEMPLATES / "report.css").read_text(encoding="utf-8")
# the report is one file that can be saved and mailed, so its style is inside it and allowed by its hash
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
AFFECTED = ("agent", "team", "call", "from_number", "queue", "target", "to_queue")  # labels worth a line, in order
_STAMP_FIELDS = ("requested", "ringing", "answered", "bridged", "released", "ended")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_SHOWN_WITH_TRANSFER = {*_STAMP_FIELDS, *(f"{name}_at" for name in _STAMP_FIELDS)} | {
    *("seek_s", "ring_s", "brief_s", "customer_gap_s", "total_s", "slow"),
    *("kind", "outcome", "from_agent", "to_agent", "to_queue", "transfer_id", "call_id"),
}


class Bar(Struct, frozen=True):
    """A leg of a transfer as a share of the drawn width, 0 to 100."""

    name: str
    seconds: float
    left: float
    width: float


class Report:
    """One report, ready to be rendered."""

    def __init__(self, text: Text, detail: DetailView, language: Language, now: datetime) -> None:
        self._text = text
        self._detail = detail
        self._language = language
        self._now = now
        self._words = words(language)

    def html(self) -> str:
        return self._text.environment.get_template("report.html.j2").render(self._values())

    def markdown(self) -> str:
        return self._text.environment.get_template("report.md.j2").render(self._values())

    def _values(self) -> dict[str, Any]:
        incident = self._detail.incident
        site: SiteConfig = self._text.sites.site(incident.site)
        return {
            "css": Markup(STYLE),
            "lang": "zh-CN" if self._language == "zh" else "en",
            "w": self._words,
            "incident": incident,
            "summary": self._say(incident.summary),
            "rule": self._words.get(f"rule.{incident.rule}", incident.rule),
            "site": site.label or incident.site,
            "zone": f"{site.time_zone} (UTC{self._text.local(self._now, incident.site)[-6:]})",
            "detail": self._detail,
            "affected": self._affected(),
            "flags": [self._flag(flag) for flag in self._detail.flags],
            "timeline": [(entry, self._happened(entry)) for entry in self._detail.timeline],
            "notes": [entry for entry in self._detail.timeline if entry.note],
            "time": self._time,
            "exact": lambda value: self._text.exact(value, incident.site),
            "link": self._text.link(incident.id),
            "written": self._now,
            "leg_text": self._leg,
            "seconds": lambda value: "–" if value is None else f"{value:.1f} s",
        }

    def _say(self, summary: Any) -> str:
        return str(summary.zh or summary.en) if self._language == "zh" else str(summary.en)

    def _time(self, value: datetime | None) -> str:
        return (
            "–" if value is None else self._text.local(value, self._detail.incident.site)[:19]
        )  # the footer names the zone

    def _affected(self) -> list[tuple[str, str]]:
        incident = self._detail.incident
        values = {**incident.labels}
        for flag in self._detail.flags:
            for name in AFFECTED:
                if name not in values and isinstance(found := flag.evidence.get(name), str):
                    values[name] = found
            values.setdefault("target", str(flag.evidence.get("to_agent", "")))
        values.setdefault(incident.subject, incident.subject_id)
        rows = []
        for name in (*AFFECTED, *(n for n in (incident.subject,) if n not in AFFECTED)):
            if value := values.get(name):
                person = values.get(f"{name}_name", "")
                rows.append((self._words.get(f"label.{name}", name), f"{person} ({value})" if person else value))
        return rows

    def _flag(self, flag: FlagView) -> dict[str, Any]:
        transfer = flag.transfer
        skip = {"site"} | (_SHOWN_WITH_TRANSFER if transfer else set())
        shown = {**flag.evidence, **{k: v for k, v in flag.cleared_evidence.items() if v is not None}}
        rows = [(self._named(name), self._shown(value)) for name, value in plain_rows(shown) if name not in skip]
        return {
            "flag": flag,
            "summary": self._say(flag.summary),
            "transfer": transfer,
            "bars": bars(transfer) if transfer else [],
            "limit_at": limit_at(transfer) if transfer else None,
            "rows": rows,
        }

    def _shown(self, value: str) -> str:
        if _ISO_TIME.match(value):
            return self._time(datetime.fromisoformat(value))
        return self._words.get(f"value.{value}", value)

    def _leg(self, leg: LegView) -> str:
        if leg.seconds is None and leg.open_s is not None:
            return f"{self._words['unfinished']} {leg.open_s:.1f} s"
        return "–" if leg.seconds is None else f"{leg.seconds:.1f} s"

    def _named(self, name: str) -> str:
        return self._words.get(f"evidence.{name}", name.replace("_", " "))

    def _happened(self, entry: EntryView) -> str:
        return self._words[f"entry.{entry.kind}"]


def scale(transfer: TransferView) -> float:
    """Seconds that the drawn width stands for: the longest of total and limit, and a tenth more."""
    legs = sum(leg.seconds or leg.open_s or 0.0 for leg in transfer.legs)
    return max(transfer.total_s or 0.0, transfer.limit_s, legs, 0.1) * 1.1


def bars(transfer: TransferView) -> list[Bar]:
    """The legs one after the other, in the order in which they happened."""
    whole, at, found = scale(transfer), 0.0, []
    for leg in transfer.legs:
        if lasted := leg.seconds or leg.open_s:
            found.append(Bar(leg.name, lasted, 100 * at / whole, 100 * lasted / whole))
            at += lasted
    return found


def limit_at(transfer: TransferView) -> float:
    return 100 * transfer.limit_s / scale(transfer)


@cache
def words(language: Language) -> dict[str, str]:
    """The fixed words of the report."""
    found: dict[str, dict[str, str]] = json.loads((TEMPLATES / "report.words.json").read_text(encoding="utf-8"))
    return found[language]

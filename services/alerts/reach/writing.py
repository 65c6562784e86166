"""What a message says: built-in texts in English, Chinese or both, short or long, or a receiver's own template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import jinja2
import msgspec
import structlog
from msgspec import Struct

from services.alerts.core.plan import SEVERITIES, rank
from services.alerts.core.sending import Form, Language
from services.alerts.reach.chatrobots import Robot, tamed_values
from services.alerts.reach.message import Message
from services.alerts.reach.nexttold import next_told
from services.alerts.reach.outgoing import Kind, Told
from services.alerts.reach.owntemplate import render
from services.alerts.report.words import words
from services.alerts.text import Text, subject_of

log = structlog.get_logger(__name__)

WORST: Final = 5  # incidents that a message of many names one by one
PART: Final = " · "  # between the parts of a short text
_MARKS: Final = {"en": ("[SIMULATED] ", "[REPLAY] "), "zh": ("【模拟】", "【回放】")}
_WHY: Final = {
    "en": {
        "reopened": "back again: ",
        "worse": "more severe: ",
        "more": "further flags: ",
        "reminder": "still open: ",
        "escalated": "nobody has it: ",
        "resolved": "resolved: ",
        "recheck": "look again: ",
        "action_due": "an action is due: ",
    },
    "zh": {
        "reopened": "再次发生：",
        "worse": "级别升高：",
        "more": "新增预警：",
        "reminder": "仍无人认领：",
        "escalated": "超时无人认领：",
        "resolved": "已解决：",
        "recheck": "到期复查：",
        "action_due": "措施到期：",
    },
}
_TOLD: Final = {
    "en": {
        "reopened": ", reopened: it came back after it was resolved",
        "worse": ", more severe than when you were told",
        "more": ", with further flags",
        "reminder": ", still open: nobody has acknowledged it",
        "escalated": ", nobody has acknowledged it in time",
        "resolved": ", resolved",
        "recheck": ": the day has come on which somebody was to look again",
        "action_due": ": an action is due",
    },
    "zh": {
        "reopened": "，再次发生：解决后又出现",
        "worse": "，级别比上次通知时更高",
        "more": "，有新的预警",
        "reminder": "，仍无人认领",
        "escalated": "，未在规定时间内认领",
        "resolved": "，已解决",
        "recheck": "：到了约定的复查日期",
        "action_due": "：有措施到期",
    },
}
_SEVERITIES_ZH: Final = {"critical": "严重", "warning": "警告", "info": "提示"}


class Matter(Struct, frozen=True, kw_only=True):
    """What is to be said. `told`: the worst first; `message`: of a report; `by`: who asked for a test; `at`: now.

    `robot`: of the chat that it goes to; None: what comes from the floor is written as it is.
    """

    kind: Kind
    receiver: str
    told: Sequence[Told] = ()
    message: Message | None = None
    instead_of: str = ""
    again: bool = False
    by: str = ""
    at: datetime | None = None
    robot: Robot | None = None


class Writing:
    """Templates bound to the sites' time zones and the address of the page."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def write(
        self, matter: Matter, language: Language = "both", form: Form = "long", own: jinja2.Template | None = None
    ) -> Message:
        """The message in that language and form. `own`: for what is told of one incident; where it fails, the message says so."""
        values = self._values(matter)
        if matter.robot is not None:
            values = tamed_values(values, matter.robot, self._text.address(""))
            matter = msgspec.structs.replace(matter, told=values["told_of"], message=values["message"])
        try:
            title, body = self._built_in(matter.kind, values, language, form)
        except (jinja2.TemplateError, TypeError, ValueError) as exc:  # a fault of ours must not keep people in the dark
            log.exception("a built-in text failed; the bare facts are sent", kind=matter.kind, why=str(exc))
            title, body = self._bare(matter)
        if own is not None and matter.kind == "single":
            title, body = _of_ones_own(own, values, title, body)
        report = matter.message
        if report is None:
            return Message(title, body)
        return Message(title, body, report.html, report.attachments)

    def _bare(self, matter: Matter) -> tuple[str, str]:
        """What needs no template."""
        if matter.message is not None:
            return matter.message.title, matter.message.body
        lines = [f"#{one.number} [{one.severity}] {one.summary_en} / {one.summary_zh}" for one in matter.told[:WORST]]
        return (lines[0] if lines else "Floorwatch"), "\n".join([*lines, self._text.home])

    def _built_in(self, kind: Kind, values: Mapping[str, Any], language: Language, form: Form) -> tuple[str, str]:
        if language != "both" or kind == "report":
            one: Language = "en" if language == "both" else language
            return self._line(kind, one, "title", values), self._body(kind, one, form, values)
        english, chinese = (self._body(kind, one, form, values) for one in ("en", "zh"))
        rest = self._line(kind, "zh", "rest", values)
        title = self._line(kind, "en", "title", values)
        body = _side_by_side(english, chinese) if form == "short" else f"{english}\n\n————\n\n{chinese}"
        return (f"{title} · {rest}" if rest else title), body

    def _body(self, kind: Kind, language: Language, form: Form, values: Mapping[str, Any]) -> str:
        if form == "short":
            return self._line(kind, language, "short", values)
        return self._block(kind, language, "long", values).strip()

    def _line(self, kind: Kind, language: Language, block: str, values: Mapping[str, Any]) -> str:
        return " ".join(self._block(kind, language, block, values).split())

    def _block(self, kind: Kind, language: Language, block: str, values: Mapping[str, Any]) -> str:
        template = self._text.environment.get_template(f"notification.{kind}.{language}.j2")
        context = template.new_context({**values, **_words(language)})
        return "".join(template.blocks[block](context))

    def _values(self, matter: Matter) -> dict[str, Any]:
        told = matter.told
        values: dict[str, Any] = {
            "told_of": told,
            "worst": told[:WORST],
            "by_severity": _counts(told),
            "by_rule": _by_rule(told),
            "message": matter.message,
            "receiver": matter.receiver,
            "instead_of": matter.instead_of,
            "again": matter.again,
            "by": matter.by,
            "home": self._text.home,
            "link": self._text.link,
        }
        if told:
            simulated, replay = all(one.simulated for one in told), all(one.replay for one in told)
            values["it"] = msgspec.structs.replace(told[0], simulated=simulated, replay=replay)
        if matter.kind == "single":
            (it,) = told
            values |= {
                "site": self._text.sites.site(it.site).label or it.site,
                "about": subject_of(it),
                "briefly": it.labels.get("agent_name") or it.subject_id or it.labels.get("queue", ""),
                "queue": "" if it.subject == "queue" else it.labels.get("queue", ""),
                "started": self._text.local(it.started, it.site),
                "opened": self._text.local(it.opened_at, it.site),
                "reason": it.reason,
                "next": next_told(it, self._text, matter.at),
                "link": self._text.link(it.number),
            }
        return values


def _words(language: Language) -> dict[str, Any]:
    simulated, replay = _MARKS[language]
    names = words("zh" if language == "zh" else "en")
    return {
        "rule_name": lambda rule: names.get(f"rule.{rule}", rule),
        "subject_name": lambda subject: names.get(f"subject.{subject}", subject),
        "why": lambda reason: _WHY[language].get(reason, ""),
        "told": lambda reason: _TOLD[language].get(reason, ""),
        "severity": lambda found: _SEVERITIES_ZH.get(found, found),
        "mark": lambda it: simulated if it.simulated else replay if it.replay else "",
        "said": lambda counts: "，".join(f"{_SEVERITIES_ZH[name]} {number}" for number, name in counts),
    }


def _side_by_side(english: str, chinese: str) -> str:
    """One line in both languages; its parts that are the same, as names and a link are, only once."""
    pairs = list(zip(english.split(PART), chinese.split(PART), strict=False))
    if english.count(PART) != chinese.count(PART):
        return f"{english} / {chinese}"
    return PART.join(one if one == other else f"{one} / {other}" for one, other in pairs)


def _counts(told: Sequence[Told]) -> list[tuple[int, str]]:
    """How many of each severity, the worst first."""
    found = Counter(one.severity for one in told)
    return [(found[name], name) for name in reversed(SEVERITIES) if found[name]]


def _by_rule(told: Sequence[Told]) -> list[tuple[str, list[tuple[int, str]]]]:
    """How many of each rule by severity; the rule with the worst, then with the most, first."""
    rules: dict[str, list[Told]] = {}
    for one in told:
        rules.setdefault(one.rule, []).append(one)
    worst = sorted(rules, key=lambda rule: (-max(rank(one.severity) for one in rules[rule]), -len(rules[rule]), rule))
    return [(rule, _counts(rules[rule])) for rule in worst]


def _of_ones_own(own: jinja2.Template, values: Mapping[str, Any], title: str, body: str) -> tuple[str, str]:
    try:
        own_title, own_body = render(own, dict(values))
    except Exception as exc:  # noqa: BLE001  (a template may raise anything; people must be told all the same)
        why = f"{type(exc).__name__}: {exc}"
        log.warning("a receiver's own template failed", receiver=values["receiver"], why=why)
        return title, f"{body}\n\n(The receiver's own template could not be used: {why})"
    return own_title or title, own_body or body

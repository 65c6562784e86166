"""The rule book: rules as data, close to Prometheus alerting rules. Reading the file is `services.monitor.rulefile`.

A rule watches one kind of subject. While its `when` holds for longer than `for`, a flag is raised, stamped with the
deadline; when it no longer holds, the flag is cleared.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from shared.facts import Severity

WatchedSubject = Literal["agent", "call", "transfer"]
OneOrMore = str | tuple[str, ...]

# What a rule may ask of a subject in `when`, and which values exist; None: any text.
FIELDS: Final[Mapping[str, Mapping[str, frozenset[str] | None]]] = MappingProxyType(
    {
        "agent": {
            "state": frozenset({"offline", "ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown"}),
            "reason": None,
        },
        "call": {
            "state": frozenset({"started", "queued", "ringing", "answered", "held", "transferring"}),
            "direction": frozenset({"inbound", "outbound", "internal"}),
        },
        "transfer": {
            "state": frozenset({"running", "completed", "failed", "cancelled", "abandoned"}),
            "kind": frozenset({"blind", "attended", "queue"}),
        },
    }
)

# What a summary may mention, by subject; `for` is the rule's own limit.
LABELS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "agent": frozenset({"agent", "agent_name", "team", "queue", "state", "reason", "call", "for"}),
        "call": frozenset({"call", "queue", "direction", "state", "for"}),
        "transfer": frozenset(
            {"transfer", "call", "kind", "state", "agent", "agent_name", "team", "target", "queue", "for"}
        ),
    }
)


class Summary(Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    zh: str


class Where(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits a rule to some subjects; an empty list limits nothing."""

    sites: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class RuleConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it is written. Durations are text such as `7s`, `1.5m`, `2h`."""

    name: str
    subject: WatchedSubject
    when: dict[str, OneOrMore]
    summary: Summary
    for_: str = field(name="for", default="0s")
    severity: Severity = "warning"
    where: Where = field(default_factory=Where)


class RuleFile(Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[RuleConfig, ...]


class Rule(Struct, frozen=True):
    """A rule ready to be asked."""

    name: str
    subject: WatchedSubject
    when: dict[str, frozenset[str]]
    hold: timedelta
    severity: Severity
    where: Where
    summary: Summary

    @property
    def fingerprint(self) -> str:
        """The same for rules that hold for the same subjects at the same time, whatever they say of it."""
        return msgspec.json.encode((self.subject, self.when, self.hold, self.where), order="deterministic").decode()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether `when` holds for a subject with these labels."""
        return all(labels.get(name, "") in allowed for name, allowed in self.when.items())

    def concerns(self, site: str, labels: Mapping[str, str], tags: tuple[str, ...]) -> bool:
        """Whether `where` lets this subject in."""
        where = self.where
        return (
            (not where.sites or site in where.sites)
            and (not where.queues or labels.get("queue", "") in where.queues)
            and (not where.teams or labels.get("team", "") in where.teams)
            and (not where.agents or labels.get("agent", "") in where.agents)
            and (not where.tags or any(tag in where.tags for tag in tags))
        )


class RuleBook:
    """All rules, by subject."""

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self.rules = rules
        self.by_name = {rule.name: rule for rule in rules}
        self.by_subject: dict[str, tuple[Rule, ...]] = {
            subject: tuple(rule for rule in rules if rule.subject == subject) for subject in FIELDS
        }


class RuleError(Exception):
    """A rule cannot be used. `key` is the path below `rules`."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def compile_rules(config: RuleFile) -> RuleBook:
    """Check every rule and make it ready. Raises RuleError for the first that is wrong."""
    seen: set[str] = set()
    rules = []
    for number, one in enumerate(config.rules):
        key = f"rules[{number}]"
        if one.name in seen:
            raise RuleError(f"{key}.name", f"{one.name!r} is used twice")
        seen.add(one.name)
        rules.append(_compile(one, key))
    return RuleBook(tuple(rules))


def _compile(one: RuleConfig, key: str) -> Rule:
    known = FIELDS[one.subject]
    when: dict[str, frozenset[str]] = {}
    if not one.when:
        raise RuleError(f"{key}.when", "must name at least one condition")
    for name, wanted in one.when.items():
        if name not in known:
            raise RuleError(f"{key}.when.{name}", f"{one.subject} has no {name!r}; it has {', '.join(sorted(known))}")
        values = frozenset((wanted,) if isinstance(wanted, str) else wanted)
        possible = known[name]
        if possible is not None and not values <= possible:
            wrong = ", ".join(sorted(values - possible))
            raise RuleError(f"{key}.when.{name}", f"unknown value {wrong}; possible are {', '.join(sorted(possible))}")
        when[name] = values
    if one.subject == "call":
        for name in ("teams", "agents", "tags"):
            if getattr(one.where, name):
                raise RuleError(f"{key}.where.{name}", "a call has no agent of its own; it has queues and sites")
    for language in ("en", "zh"):
        _check_summary(getattr(one.summary, language), LABELS[one.subject], f"{key}.summary.{language}")
    return Rule(
        name=one.name,
        subject=one.subject,
        when=when,
        hold=parse_duration(one.for_, f"{key}.for"),
        severity=one.severity,
        where=one.where,
        summary=one.summary,
    )


def _check_summary(text: str, allowed: frozenset[str], key: str) -> None:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as exc:
        raise RuleError(key, f"cannot be read: {exc}") from exc
    if not names <= allowed:
        wrong = ", ".join(sorted(names - allowed))
        raise RuleError(key, f"mentions {wrong}; possible are {', '.join(sorted(allowed))}")


_WORDS: Final = MappingProxyType(
    {"en": ((3600, "h"), (60, "min"), (1, "s")), "zh": ((3600, "小时"), (60, "分钟"), (1, "秒"))}
)


def say_duration(duration: timedelta, language: str) -> str:
    """`7 s`, `90 s`, `15 min`, `2 h`; in Chinese `7 秒` and so on. The largest unit that it is a whole number of."""
    seconds = duration.total_seconds()
    words = _WORDS[language]
    size, word = next(((size, word) for size, word in words if seconds >= size and seconds % size == 0), words[-1])
    return f"{seconds / size:g} {word}"


_UNITS: Final = MappingProxyType({"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0})


def parse_duration(text: str, key: str) -> timedelta:
    """`7s`, `1.5m`, `250ms`, `2h` as a timedelta. Raises RuleError."""
    number = text.rstrip("mshdn")
    unit = _UNITS.get(text[len(number) :])
    try:
        if unit is None:
            raise ValueError
        value = float(number) * unit
        if not 0 <= value < 86_400 * 365:
            raise ValueError
        return timedelta(seconds=value)
    except ValueError:
        raise RuleError(key, f'expected a duration such as "7s", "1.5m" or "2h", got {text!r}') from None

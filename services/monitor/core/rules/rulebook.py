"""The rule book: rules as data, close to Prometheus alerting rules. Reading the file is `services.monitor.rulefile`.

A rule watches one kind of subject. While its `when` holds for longer than `for`, a flag is raised, stamped with the
deadline; when it no longer holds (for as long as `keep`), the flag is cleared. docs/rules.md is the reference.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from services.monitor.core.rules.expressions import Condition, ExpressionError, Holds, any_of, compile_all
from services.monitor.core.rules.rulefields import EVERY_SECOND, FIELDS, NOW_ONLY, SCOPES, UNTIL_TOLD
from shared import durations
from shared.facts import Severity, Subject
from shared.hours import DAYS, Hours, parse_window

Value = str | bool | int | float
OneOrMore = Value | tuple[Value, ...]
Names = str | tuple[str, ...]
When = str | Mapping[str, Any]

PULSED: Final[frozenset[Subject]] = frozenset({"queue", "site"})
_SAID_ALWAYS: Final = frozenset({"for", "site"})  # by every summary
_LARGEST_KEEP: Final = timedelta(days=1)


class Summary(Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    zh: str


class Where(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits a rule to some subjects and hours; what is empty limits nothing."""

    sites: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    direction: Names = ()
    hours: Names = ()
    days: Names = ()


class RuleConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it is written. Durations are text such as `7s`, `1.5m`, `2h`."""

    name: str
    subject: Subject
    when: str | dict[str, OneOrMore]
    summary: Summary
    for_: str | float = field(name="for", default="0s")  # a bare number is refused with what to write instead
    keep: str | float = "0s"
    severity: Severity = "warning"
    where: Where = field(default_factory=Where)


class RuleFile(Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[RuleConfig, ...]


class Rule(Struct, frozen=True):
    """A rule with its durations read. `RuleBook` compiles it."""

    name: str
    subject: Subject
    when: When
    hold: timedelta
    severity: Severity
    where: Where
    summary: Summary
    keep: timedelta = timedelta()

    @property
    def fingerprint(self) -> str:
        """The same for rules that hold for the same subjects at the same time, whatever they say of it."""
        about = (self.subject, self.when, self.hold, self.keep, self.where)
        return msgspec.json.encode(about, order="deterministic").decode()


class Armed:
    """A rule ready to be asked. `number` is its place in the book."""

    __slots__ = (
        "condition",
        "direct",
        "every_second",
        "figures",
        "holds",
        "hours",
        "name",
        "number",
        "on_grid",
        "rule",
    )

    def __init__(self, number: int, rule: Rule, key: str) -> None:
        """Raises RuleError."""
        self.number, self.rule, self.name = number, rule, rule.name
        self.condition = _condition(rule, key)
        self.holds, self.direct = self.condition.holds, self.condition.direct
        self.hours = _hours(rule.where, key)
        self.on_grid = rule.subject in PULSED and not self.condition.names <= UNTIL_TOLD
        self.every_second = rule.subject in PULSED and bool(self.condition.names & EVERY_SECOND)
        self.figures = rule.subject in PULSED and not self.condition.names <= EVERY_SECOND | NOW_ONLY


class Left(NamedTuple):
    """A rule that may hold for a subject in one state, and what is left of its condition then; `holds` is None for nothing."""

    armed: Armed
    holds: Holds | None
    direct: bool


class Asked(NamedTuple):
    """The rules that may hold for a subject in one state. When `may` does not hold for it, none of them does; `sure`: one of
    them holds in any case."""

    rules: tuple[Left, ...]
    names: frozenset[str]
    may: Holds
    sure: bool


class RuleBook:
    """All rules, compiled and ordered by whom they concern."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Raises RuleError for the first that is wrong."""
        self.rules = tuple(rules)
        self.by_name = {rule.name: rule for rule in self.rules}
        self.armed = {rule.name: Armed(i, rule, f"rules[{i}]") for i, rule in enumerate(self.rules)}
        self.by_subject: Mapping[Subject, tuple[Armed, ...]] = {
            subject: tuple(one for one in self.armed.values() if one.rule.subject == subject) for subject in FIELDS
        }
        # the rules that may hold for a subject in a state: kind -> state -> rules
        self.for_state: Mapping[Subject, Mapping[str, Asked]] = {subject: self._index(subject) for subject in FIELDS}
        self.watched = frozenset(subject for subject, found in self.by_subject.items() if found)
        pulsed = [one for subject in PULSED for one in self.by_subject[subject]]
        self.every_second = any(one.every_second for one in pulsed)
        crossings = [one.condition.crossings("longest_wait_s") for one in pulsed if one.every_second]
        # the waits, in seconds, at which a rule may change its mind; None: any
        self.waits = None if None in crossings else frozenset().union(*(found for found in crossings if found))
        self.figures = any(one.figures for one in pulsed)
        self.site_figures = any(one.on_grid for one in self.by_subject["site"])

    def _index(self, subject: Subject) -> dict[str, Asked]:
        """By displayed state; by "" for subjects that have none."""
        found: dict[str, Asked] = {}
        state = FIELDS[subject].get("state")
        for value in state.values or () if state is not None else ("",):
            may = [one for one in self.by_subject[subject] if one.condition.may_hold("state", value)]
            left = [one.condition.given("state", value) for one in may]
            found[value] = Asked(
                tuple(Left(one, None if it.always else it.holds, it.direct) for one, it in zip(may, left, strict=True)),
                frozenset(one.name for one in may),
                any_of(it.foretold() for it in left).holds,
                any(it.always for it in left),
            )
        return found

    def at(self, site: str) -> RuleBook:
        """The rules that concern `site`."""
        if all(not rule.where.sites or site in rule.where.sites for rule in self.rules):
            return self
        return RuleBook(rule for rule in self.rules if not rule.where.sites or site in rule.where.sites)


class RuleError(Exception):
    """A rule cannot be used. `key` is the path below the file."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


# ---------------------------------------------------------------- conditions


def _condition(rule: Rule, key: str) -> Condition:
    """`where` and `when` together. Raises RuleError."""
    fields, scope = FIELDS[rule.subject], list(_scope(rule))
    try:
        compile_all(scope, fields)
    except ExpressionError as exc:
        raise RuleError(f"{key}.where", str(exc)) from exc
    if not isinstance(rule.when, str):
        if not rule.when:
            raise RuleError(f"{key}.when", "must name at least one condition")
        found = [_one_field(rule.subject, name, wanted, f"{key}.when.{name}") for name, wanted in rule.when.items()]
        return compile_all([*scope, *found], fields)
    try:
        return compile_all([*scope, rule.when], fields)
    except ExpressionError as exc:
        raise RuleError(f"{key}.when", str(exc)) from exc


def _scope(rule: Rule) -> Iterable[str]:
    """`where` as conditions; sites and hours are looked at elsewhere."""
    where = rule.where
    if where.queues:
        served = " or ".join(f"{queue!r} in queues" for queue in where.queues)
        of_call = f"queue in {_list(where.queues)}"
        yield f'{of_call} or queue == "" and ({served})' if rule.subject == "agent" else of_call
    if where.teams:
        yield f"team in {_list(where.teams)}"
    if where.agents:
        yield f"agent in {_list(where.agents)}"
    if where.tags:
        yield " or ".join(f"{tag!r} in tags" for tag in where.tags)
    if where.direction:
        yield f"direction in {_list(_many(where.direction))}"


def _list(values: Iterable[Any]) -> str:
    return "[" + ", ".join(repr(value) for value in values) + "]"


def _many(value: Names) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _one_field(subject: Subject, name: str, wanted: Any, key: str) -> str:
    """`{state: [hold, consult]}` as an expression. Raises RuleError."""
    known = FIELDS[subject]
    field_ = known.get(name) or (known.get("attr_") if name.startswith("attr_") else None)
    if field_ is None:
        names = ", ".join(sorted("attr_NAME" if one == "attr_" else one for one in known))
        raise RuleError(key, f"{subject} has no {name!r}; it has {names}")
    values = tuple(wanted) if isinstance(wanted, tuple | list | frozenset | set) else (wanted,)
    if isinstance(wanted, frozenset | set):
        values = tuple(sorted(values))
    kinds = {"text": str, "texts": str, "flag": bool, "number": (int, float)}
    if not values or not all(
        isinstance(value, kinds[field_.kind]) and (field_.kind == "flag" or not isinstance(value, bool))  # type: ignore[arg-type]
        for value in values
    ):
        expected = {"flag": "true or false", "number": "a number"}.get(field_.kind, "a text or a list of texts")
        raise RuleError(key, f"expected {expected}, got {wanted!r}")
    wrong = [value for value in values if field_.values is not None and value not in field_.values]
    if wrong:
        possible = ", ".join(sorted(value for value in field_.values or () if value))
        raise RuleError(key, f"unknown value {', '.join(map(str, sorted(wrong)))}; possible are {possible}")
    if field_.kind == "texts":
        return " or ".join(f"{value!r} in {name}" for value in values)
    if field_.kind == "flag":
        return " or ".join(f"{name} == {value}" for value in values)
    return f"{name} in {_list(values)}"


def _hours(where: Where, key: str) -> Hours | None:
    hours, days = _many(where.hours), _many(where.days)
    if not hours and not days:
        return None
    for day in days:
        if day not in DAYS:
            raise RuleError(f"{key}.where.days", f"there is no day {day!r}; there are {', '.join(DAYS)}")
    try:
        return Hours(tuple(parse_window(text) for text in hours), frozenset(days))
    except ValueError as exc:
        raise RuleError(f"{key}.where.hours", str(exc)) from exc


# ---------------------------------------------------------------- from the file


def compile_rules(config: RuleFile) -> RuleBook:
    """Check every rule and make it ready. Raises RuleError for the first that is wrong."""
    seen: set[str] = set()
    rules = []
    for number, one in enumerate(config.rules):
        key = f"rules[{number}]"
        if one.name in seen:
            raise RuleError(f"{key}.name", f"{one.name!r} is used twice")
        seen.add(one.name)
        rules.append(_read(one, key))
    return RuleBook(rules)


def _read(one: RuleConfig, key: str) -> Rule:
    if not one.name:
        raise RuleError(f"{key}.name", "must not be empty")
    _check_scope(one, key)
    for language in ("en", "zh"):
        _check_summary(getattr(one.summary, language), one.subject, f"{key}.summary.{language}")
    keep = parse_duration(one.keep, f"{key}.keep")
    if keep > _LARGEST_KEEP:
        raise RuleError(f"{key}.keep", f"at most a day, got {one.keep!r}")
    return Rule(
        name=one.name,
        subject=one.subject,
        when=one.when,
        hold=parse_duration(one.for_, f"{key}.for"),
        severity=one.severity,
        where=one.where,
        summary=one.summary,
        keep=keep,
    )


def _check_scope(one: RuleConfig, key: str) -> None:
    """A key of `where` that can mean nothing for the subject is an error."""
    allowed = SCOPES[one.subject]
    for name in Where.__struct_fields__:
        if getattr(one.where, name) and name not in allowed:
            why = {
                "call": "a call has no agent of its own",
                "queue": "a queue is no agent",
                "site": "a site is all of it",
            }
            raise RuleError(
                f"{key}.where.{name}",
                f"{why.get(one.subject, f'{one.subject} has none')}; it can be limited by {', '.join(sorted(allowed))}",
            )


def _check_summary(text: str, subject: Subject, key: str) -> None:
    """Raises RuleError for a summary that names what the subject has not."""
    known = FIELDS[subject]
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as exc:
        raise RuleError(key, f"cannot be read: {exc}") from exc
    wrong = [name for _, name, _, _ in parts if name is not None and not _is_known(name, known)]
    if wrong:
        names = sorted({*known, *_SAID_ALWAYS} - {"attr_"})
        raise RuleError(key, f"mentions {', '.join(wrong) or 'nothing'}; possible are {', '.join(names)}")
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise RuleError(
            key, "a name stands alone in its braces, as in {agent_name}; how it is written is not for the rule"
        )


def _is_known(name: str, known: Mapping[str, Any]) -> bool:
    return (
        name in known or name in _SAID_ALWAYS or ("attr_" in known and name.startswith("attr_") and name.isidentifier())
    )


def parse_duration(written: str | float, key: str) -> timedelta:
    """As `shared.durations` has it. Raises RuleError."""
    try:
        return durations.parse_duration(written)
    except ValueError as exc:
        raise RuleError(key, str(exc)) from None

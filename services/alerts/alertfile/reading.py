"""Reads `alerts.yaml`: what makes one incident, whom it is told to and when, what hides it. Errors name file, line and key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar
from zoneinfo import available_timezones

from msgspec import Struct

from services.alerts.alertfile.doubts import Doubts
from services.alerts.alertfile.health import HealthLimits, read_health
from services.alerts.alertfile.receivers import Reading, Receiver, read_receivers
from services.alerts.alertfile.schema import (
    UNSET,
    AlertFile,
    Duration,
    GroupConfig,
    InhibitConfig,
    Match,
    RaiseConfig,
    RouteConfig,
    ScheduleConfig,
    SpanConfig,
    StepConfig,
)
from services.alerts.core.explained import CLOSED
from services.alerts.core.handling import Grouping, Handling
from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import NAME, Matcher, MatcherError, matchers, value_fits
from services.alerts.core.plan import Leaf, Raise, Step
from services.alerts.core.routes import Raising, Route, Routes, Schedule, to
from services.alerts.periodic.configured import read_reports
from services.alerts.periodic.schedule import Plan
from services.alerts.retention.keeping import DEFAULT, Retention, read_retention
from shared.durations import parse_duration
from shared.errors import SettingsError
from shared.hours import DAYS, parse_window
from shared.settingtypes import OF_FILE
from shared.yamlfile import Where, load_checked

T = TypeVar("T")
W = TypeVar("W")

DEEPEST: Final = 8  # routes below routes
NOTIFY_URLS: Final = (
    "ALERTS_NOTIFY_URLS"  # the one variable that need not be set: then nobody is told, and the page says so
)
EVERYBODY: Final = "everybody"  # the receiver without a file


class Alerts(Struct, frozen=True):
    """What the file says, ready for use."""

    handling: Handling
    receivers: dict[str, Receiver]
    retention: Retention = DEFAULT
    reports: tuple[Plan, ...] = ()
    health: HealthLimits = HealthLimits()
    warnings: tuple[str, ...] = ()  # what is right by its form and hardly meant, each with file, line and key


def load_alerts(path: Path | None, urls: tuple[str, ...] = (), *, setting: str = "") -> Alerts:
    """Read and check `path`, which is what the variable `setting` says. None: everything is told to everybody, at once.

    `urls`: what ALERTS_NOTIFY_URLS holds. Raises SettingsError that names file, line and key.
    """
    if path is None:
        everybody = Receiver(EVERYBODY, tuple(_numbered(NOTIFY_URLS, urls)))
        return Alerts(Handling(to(EVERYBODY if urls else "")), {EVERYBODY: everybody})
    config, where = load_checked(path, AlertFile, setting=setting)
    return _Reading(config, where, {**os.environ, NOTIFY_URLS: " ".join(urls)}).alerts()


class _Reading:
    """One file being checked. Every method takes the key of what it reads."""

    def __init__(self, config: AlertFile, where: Where, environment: Mapping[str, str]) -> None:
        self._config, self._where, self._environment = config, where, environment

    def alerts(self) -> Alerts:
        config = self._config
        schedules = {name: self._schedule(name, one) for name, one in config.schedules.items()}
        if config.routes.match or config.routes.schedule:
            raise self._wrong("routes", "the first route takes everything, at any hour; match below it")
        root = self._route(config.routes, Leaf("", ""), "routes", 1)
        if not root.leaf.receiver:
            raise self._wrong("routes", "expected a receiver for what no route below takes")
        handling = Handling(
            Routes(root, schedules, tuple(self._raising(one, f"raises[{n}]") for n, one in enumerate(config.raises))),
            tuple(self._grouping(one, f"groups[{n}]") for n, one in enumerate(config.groups)),
            tuple(self._inhibition(one, f"inhibit[{n}]") for n, one in enumerate(config.inhibit)),
        )
        receivers = read_receivers(config.receivers, self._tools())
        return Alerts(
            handling,
            receivers,
            retention=read_retention(config.retention, self._tools()),
            reports=read_reports(config.reports, receivers, self._tools()),
            health=read_health(config.health, self._tools()),
            warnings=Doubts(handling, receivers, self._reached(), self._where).all(),
        )

    def _reached(self) -> frozenset[str]:
        """Receivers that something other than a route names."""
        chained = {one.then for one in self._config.receivers.values()}
        return frozenset(chained.union(*(one.to for one in self._config.reports)))

    def _tools(self) -> Reading:
        return Reading(
            self._where, self._secret, lambda written, key: self._as(parse_duration, written, key), _numbered
        )

    def _secret(self, written: str, key: str) -> str:
        """What `env:NAME` and `file:PATH` stand for."""
        kind, colon, name = written.partition(":")
        if kind == "env" and colon:
            found = self._environment.get(name, "")
            if file := self._environment.get(name + OF_FILE, ""):  # as for every secret of ours
                if found:
                    raise self._wrong(key, f"{name} and {name}{OF_FILE} are both set: one of them is enough")
                return self._content(file, key)
            if not found and name != NOTIFY_URLS:
                raise self._wrong(key, f"the environment has no variable {name}")
            return found
        return self._content(name, key) if kind == "file" and colon and not name.startswith("//") else written

    def _content(self, file: str, key: str) -> str:
        try:
            return Path(file).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise self._wrong(key, f"{file} cannot be read: {exc}") from exc

    def _route(self, one: RouteConfig, above: Leaf, key: str, depth: int) -> Route:
        if depth > DEEPEST:
            raise self._wrong(key, f"routes nest at most {DEEPEST} deep")
        if one.schedule and one.schedule not in self._config.schedules:
            raise self._wrong(f"{key}.schedule", f"there is no schedule {one.schedule!r}")
        matched = self._matchers(one.match, f"{key}.match")
        leaf = Leaf(
            path=" › ".join(part for part in (above.path, _said(one)) if part),
            receiver=self._receiver(one.receiver, f"{key}.receiver") if one.receiver else above.receiver,
            wait=self._duration(one.wait, f"{key}.wait", above.wait),
            interval=self._duration(one.interval, f"{key}.interval", above.interval),
            repeat=None if one.repeat == "never" else self._repeat(one.repeat, f"{key}.repeat", above.repeat),
            steps=above.steps if one.escalate is None else tuple(self._steps(one.escalate, f"{key}.escalate")),
            tell_end=above.tell_end if one.tell_end is None else one.tell_end,
        )
        return Route(
            leaf=leaf,
            matchers=matched,
            schedule=one.schedule,
            goes_on=one.goes_on,
            routes=tuple(
                self._route(below, leaf, f"{key}.routes[{n}]", depth + 1) for n, below in enumerate(one.routes)
            ),
        )

    def _steps(self, steps: tuple[StepConfig, ...], key: str) -> Iterator[Step]:
        last = timedelta(0)
        for number, one in enumerate(steps):
            after = self._duration(one.after, f"{key}[{number}].after", last)
            if after <= last:
                raise self._wrong(f"{key}[{number}].after", "expected longer than the step before it, and than nothing")
            if not one.to:
                raise self._wrong(f"{key}[{number}].to", "expected at least one receiver")
            last = after
            yield Step(after, tuple(self._receiver(name, f"{key}[{number}].to") for name in one.to))

    def _schedule(self, name: str, one: ScheduleConfig) -> Schedule:
        key = f"schedules.{name}"
        if one.time_zone and one.time_zone not in available_timezones():
            raise self._wrong(f"{key}.time_zone", f"{one.time_zone!r} is not an IANA time zone")
        if not one.spans:
            raise self._wrong(f"{key}.spans", "expected at least one; without any nobody is ever on duty")
        spans = tuple(self._span(span, f"{key}.spans[{number}]") for number, span in enumerate(one.spans))
        return Schedule(name, spans, one.time_zone)

    def _span(self, one: SpanConfig, key: str) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
        hours = (one.hours,) if isinstance(one.hours, str) else one.hours
        for day in one.days:
            if day not in DAYS:
                raise self._wrong(f"{key}.days", f"there is no day {day!r}; there are {', '.join(DAYS)}")
        return tuple(self._as(parse_window, text, f"{key}.hours") for text in hours), one.days

    def _grouping(self, one: GroupConfig, key: str) -> Grouping:
        if not one.by:
            raise self._wrong(f"{key}.by", "expected at least one label, such as queue")
        self._names(one.by, f"{key}.by")
        return Grouping(self._matchers(one.match, f"{key}.match"), one.by)

    def _raising(self, one: RaiseConfig, key: str) -> Raising:
        after = self._repeat(one.after, f"{key}.after", None)
        if after is None and one.flags < 1:
            raise self._wrong(key, "expected after, a time, or flags, a number")
        return Raising(Raise(one.to, after, one.flags), self._matchers(one.match, f"{key}.match"))

    def _inhibition(self, one: InhibitConfig, key: str) -> Inhibition:
        if not one.source:
            raise self._wrong(f"{key}.source", "expected at least one label; everything would hide everything")
        source, target = (
            self._matchers(found, f"{key}.{n}") for n, found in (("source", one.source), ("target", one.target))
        )
        self._names(one.equal, f"{key}.equal")
        return Inhibition(source, target, one.equal)

    def _names(self, names: Iterable[str], key: str) -> None:
        for name in names:
            if NAME.fullmatch(name) is None:
                raise self._wrong(key, f"{name!r} is not a label: expected small letters, digits and _")

    def _receiver(self, name: str, key: str) -> str:
        if name not in self._config.receivers:
            there = ", ".join(sorted(self._config.receivers)) or "none"
            raise self._wrong(key, f"there is no receiver {name!r}; there are: {there}")
        return name

    def _matchers(self, written: Match, key: str) -> tuple[Matcher, ...]:
        try:
            found = matchers(written)
        except MatcherError as exc:
            raise self._wrong(key, str(exc)) from exc
        for one in found:
            for value in one.values:
                if one.label in CLOSED and not any(value_fits(value, there) for there in CLOSED[one.label]):
                    there = ", ".join(CLOSED[one.label])
                    raise self._wrong(f"{key}.{one.label}", f"there is no {value!r}; there are {there}")
        return found

    def _duration(self, written: Duration, key: str, otherwise: timedelta) -> timedelta:
        return otherwise if written == UNSET else self._as(parse_duration, written, key)

    def _repeat(self, written: Duration, key: str, otherwise: timedelta | None) -> timedelta | None:
        if written == UNSET:
            return otherwise
        found = self._as(parse_duration, written, key)
        if found <= timedelta(0):
            raise self._wrong(key, "expected longer than nothing")
        return found

    def _as(self, parse: Callable[[W], T], written: W, key: str) -> T:
        try:
            return parse(written)
        except ValueError as exc:
            raise self._wrong(key, str(exc)) from exc

    def _wrong(self, key: str, what: str) -> SettingsError:
        return SettingsError(f"{self._where(key)}: {what}")


def _said(one: RouteConfig) -> str:
    """A route in words: what it matches and when."""
    matched = ", ".join(str(found) for found in matchers(one.match)) if one.match else ""
    return f"{matched} ({one.schedule})" if matched and one.schedule else matched or one.schedule


def _numbered(where: str, urls: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, url in enumerate(urls, start=1):
        yield url, where if len(urls) == 1 else f"{where}: entry {number}"

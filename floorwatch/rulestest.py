"""`floorwatch rules test`: what happens on a floor, and what must be raised when. Like unit tests of Prometheus' rules.

The format is in docs/rules.md; deploy/rules.test.yaml is an example that covers the rules that ship.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct, field

from floorwatch.rulescript import NotUnderstoodError, Script, event_of
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook, RuleError, parse_duration
from services.monitor.rulefile import load_rulebook
from shared import events, facts
from shared.envelope import Data
from shared.errors import SettingsError
from shared.siteconfig import SiteConfig, Sites
from shared.yamlfile import Where, load_checked

SITE: Final = "test"
_AFTER: Final = timedelta(minutes=1)
_SAME: Final = timedelta(milliseconds=1)
_MOST_TIMES: Final = 100_000


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """A flag that must be raised. `cleared`: when, or `never`; not given, it does not matter."""

    rule: str
    raised: str
    subject: str = ""
    cleared: str = ""
    summary: str = ""
    summary_zh: str = ""


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """One test. `only`: the rules it is about, all by default; a flag of these that is not expected fails it."""

    name: str
    events: tuple[dict[str, Any], ...]
    expect: tuple[Expected, ...] = ()
    expect_none: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    start: str = ""
    until: str = ""


class TestFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of tests. `rules`: the rule book, from where this file is; `start`: local time at the site."""

    rules: str
    tests: tuple[Case, ...]
    site: SiteConfig = field(default_factory=SiteConfig)
    start: str = "2026-03-02 09:00"  # a Monday


@dataclass
class Seen:
    """A flag as it came. Times are from the start of the test."""

    rule: str
    subject: str
    raised: timedelta
    summary: str
    summary_zh: str
    cleared: timedelta | None = None


@dataclass
class Result:
    """How one test went: nothing in `wrong` when it passed."""

    name: str
    wrong: list[str]
    seen: list[Seen]


class _BadTest(Exception):
    """Something in the file is wrong; `key` says where."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def run_file(path: Path, rules: Path | None = None) -> tuple[RuleBook, list[Result]]:
    """Run every test of `path`, against the rule book `rules` if given. Raises SettingsError naming file, line and key."""
    found, where = load_checked(path, TestFile)
    if rules is None and not (path.parent / found.rules).exists():
        raise SettingsError(
            f"{where('rules')}: there is no file {path.parent / found.rules}; its path is from where this file is"
        )
    book = load_rulebook(rules or path.parent / found.rules)
    if found.site.time_zone not in available_timezones():
        raise SettingsError(where("site.time_zone") + f": {found.site.time_zone!r} is not an IANA time zone")
    results = []
    for number, case in enumerate(found.tests):
        try:
            results.append(_run(case, found, book, f"tests[{number}]"))
        except _BadTest as exc:
            raise SettingsError(_place(where, exc.key) + f": {exc}") from exc
    return book, results


def _place(where: Where, key: str) -> str:
    return where(key)


def _run(case: Case, file: TestFile, book: RuleBook, key: str) -> Result:
    for place, names in (("only", case.only), ("expect_none", case.expect_none)):
        for name in names:
            _known(book, name, f"{key}.{place}")
    for number, one in enumerate(case.expect):
        _known(book, one.rule, f"{key}.expect[{number}].rule")
    steps = sorted(_steps(case, key), key=lambda step: step[0])
    ends = [at for at, _ in steps] + [
        _offset(text, f"{key}.expect[{number}].{place}")
        for number, one in enumerate(case.expect)
        for place, text in (("raised", one.raised), ("cleared", one.cleared))
        if text and text != "never"
    ]
    until = _offset(case.until, f"{key}.until") if case.until else max(ends, default=timedelta()) + _AFTER
    start = _start(case.start or file.start, file.site.zone, key)
    seen = _play(steps, start, until, Engine(Sites({SITE: file.site}), book))
    asked = {*case.only, *case.expect_none} if case.only else set(book.by_name)
    seen = [flag for flag in seen if flag.rule in asked]
    return Result(case.name, list(_compare(case, seen, key)), seen)


def _known(book: RuleBook, name: str, key: str) -> None:
    if name not in book.by_name:
        raise _BadTest(key, f"there is no rule {name!r} in the rule book; there are {', '.join(book.by_name)}")


def _start(text: str, zone: ZoneInfo, key: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _BadTest(f"{key}.start", f'expected a time such as "2026-03-02 09:00", got {text!r}') from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)


def _offset(text: str, key: str) -> timedelta:
    """`90s`, `1m30s`, `2h`: from the start."""
    whole, rest = timedelta(), text.strip()
    try:
        while rest:
            size = next(i for i, char in enumerate(rest) if not (char.isdigit() or char == "."))
            stop = next((i for i in range(size, len(rest)) if rest[i].isdigit()), len(rest))
            whole += parse_duration(rest[:stop], key)
            rest = rest[stop:]
    except (RuleError, StopIteration, ValueError):
        raise _BadTest(key, f'expected a time such as "90s" or "1m30s", got {text!r}') from None
    return whole


# ---------------------------------------------------------------- what happens


def _steps(case: Case, key: str) -> Iterator[tuple[timedelta, Data]]:
    """Every event with its time, in the order of the file."""
    script = Script()
    for number, entry in enumerate(case.events):
        place = f"{key}.events[{number}]"
        try:
            yield from _entry(entry, script, place)
        except NotUnderstoodError as exc:
            raise _BadTest(place, str(exc)) from exc


def _entry(entry: dict[str, Any], script: Script, key: str) -> Iterator[tuple[timedelta, Data]]:
    if "at" not in entry:
        for when, what in entry.items():
            at = _offset(str(when), key)
            for line in _lines(what, key):
                yield from ((at, data) for data in script.say(line))
        return
    rest = dict(entry)
    at, kind = _offset(str(rest.pop("at")), key), rest.pop("kind", None)
    if kind is not None:
        until = rest.pop("until", None)
        if until is not None:
            raise _BadTest(key, "`until` of a wrap cannot be written in tests; end it with `agent 1001 ends wrap`")
        yield at, event_of(str(kind), rest)
        return
    every, times = _offset(str(rest.pop("every", "0s")), key), rest.pop("times", 1)
    lines = _lines(rest.pop("do", None), key)
    if rest or not isinstance(times, int) or not 1 <= times <= _MOST_TIMES:
        raise _BadTest(key, "expected `at` with `do`, `every` and `times`, or `at` with `kind` and the event's fields")
    for n in range(times):
        for line in lines:
            yield from ((at + n * every, data) for data in script.say(line.replace("{n}", str(n + 1))))


def _lines(what: Any, key: str) -> list[str]:
    found = what if isinstance(what, list) else [what]
    if not found or not all(isinstance(line, str) for line in found):
        raise _BadTest(key, 'expected what happens, such as "agent 1001 logs on to sales", or a list of that')
    return found


def _play(steps: list[tuple[timedelta, Data]], start: datetime, until: timedelta, engine: Engine) -> list[Seen]:
    seen: dict[str, Seen] = {}

    def apply(at: timedelta, data: Data, offset: int) -> None:
        event = events.make(
            data,
            id=str(offset),
            source="/test",
            site=SITE,
            time=start + at,
            rawpartition=0 if offset >= 0 else -1,
            rawoffset=offset,
        )
        for fact in engine.apply(event):
            _note(seen, fact.data, start)

    apply(timedelta(), events.LinkUp(connector="test"), 0)
    for offset, (at, data) in enumerate(steps, 1):
        if at > until:
            break
        apply(at, data, offset)
    apply(until + timedelta(microseconds=1), events.Clock(), -1)
    return list(seen.values())


def _note(seen: dict[str, Seen], data: Data, start: datetime) -> None:
    if isinstance(data, facts.FlagRaised):
        raised = data.raised_at - start
        seen[data.flag_id] = Seen(data.rule, data.subject_id, raised, data.summary_en, data.summary_zh)
    elif isinstance(data, facts.FlagCleared):
        seen[data.flag_id].cleared = data.cleared_at - start


# ---------------------------------------------------------------- what was expected


def _compare(case: Case, seen: list[Seen], key: str) -> Iterator[str]:
    """What differs: `-` was expected and did not come so, `+` came and was not expected so."""
    left = list(seen)
    missing: list[Expected] = []
    for number, one in enumerate(case.expect):
        at = _offset(one.raised, f"{key}.expect[{number}].raised")
        found = next((flag for flag in left if _is(flag, one) and abs(flag.raised - at) <= _SAME), None)
        if found is None:
            missing.append(one)
            continue
        left.remove(found)
        yield from _details(one, found, f"{key}.expect[{number}].cleared")
    for one in missing:
        of = f" of {one.subject}" if one.subject else ""
        yield f"- {one.rule}{of} raised at {one.raised}"
    for flag in left:
        yield f"+ {_said(flag)}: {flag.summary}"
    if not seen and missing:
        yield "  nothing was raised"


def _is(flag: Seen, one: Expected) -> bool:
    return flag.rule == one.rule and one.subject in ("", flag.subject)


def _details(one: Expected, found: Seen, key: str) -> Iterator[str]:
    if one.cleared:
        wanted = None if one.cleared == "never" else _offset(one.cleared, key)
        same = found.cleared is None if wanted is None else found.cleared and abs(found.cleared - wanted) <= _SAME
        if not same:
            yield f"- {one.rule} of {found.subject} cleared at {one.cleared}"
            yield f"+ {_said(found)}"
    for wanted_text, text in ((one.summary, found.summary), (one.summary_zh, found.summary_zh)):
        if wanted_text and wanted_text != text:
            yield f"- {one.rule} says: {wanted_text}"
            yield f"+ {one.rule} says: {text}"


def _said(flag: Seen) -> str:
    cleared = "still raised at the end" if flag.cleared is None else f"cleared at {say_offset(flag.cleared)}"
    return f"{flag.rule} of {flag.subject} raised at {say_offset(flag.raised)}, {cleared}"


def say_offset(offset: timedelta) -> str:
    """`1m30s`, as it is written."""
    seconds = offset.total_seconds()
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{hours:.0f}h" if hours else "", f"{minutes:.0f}m" if minutes else "", f"{rest:g}s" if rest else ""]
    return "".join(parts) or "0s"


def main(path: Path, rules: Path | None, *, verbose: bool) -> NoReturn:
    """The command: every test, what differs, a summary. Exit code 1 when a test failed. Raises SettingsError."""
    import typer

    book, results = run_file(path, rules)
    failed = [result for result in results if result.wrong]
    for result in results:
        if result.wrong:
            typer.secho(f"FAILED  {result.name}", fg="red")
            for line in result.wrong:
                typer.secho(f"        {line}", fg={"-": "red", "+": "green"}.get(line[0]))
        elif verbose:
            typer.echo(f"ok      {result.name}")
            for flag in result.seen:
                typer.echo(f"          {_said(flag)}: {flag.summary}")
    raised = {flag.rule for result in results for flag in result.seen}
    untested = [name for name in book.by_name if name not in raised]
    if untested:
        typer.echo(f"no test raises: {', '.join(untested)}")
    count = len(results)
    typer.echo(f"{path}: {count} test{'' if count == 1 else 's'}, {count - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not results else 0)

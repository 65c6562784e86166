"""Hours in which rules apply: over midnight, on some days, through changes of daylight saving time, at work in the engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import Rule, RuleBook, Summary, Where
from shared.events import AgentLoggedOn, AgentNotReady, AgentReady
from shared.facts import FlagCleared, FlagRaised
from shared.hours import DAYS, Hours, parse_window
from shared.siteconfig import SiteConfig, Sites
from tests.floorkit import SITE, START, Bench, at, rule

BERLIN = ZoneInfo("Europe/Berlin")
Change = Callable[[RuleBook], RuleBook]


def hours(*windows: str, days: str = "") -> Hours:
    return Hours(tuple(parse_window(window) for window in windows), frozenset(days.split()))


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("08:00-20:00", (480, 1200)),
        ("8:30 - 9:15", (510, 555)),
        ("22:00-06:00", (1320, 1800)),
        ("00:00-24:00", (0, 1440)),
    ],
)
def test_windows_are_read(text: str, minutes: tuple[int, int]) -> None:
    assert parse_window(text) == minutes


@pytest.mark.parametrize(
    "text", ["", "8-20", "08:00", "25:00-26:00", "08:60-09:00", "24:00-06:00", "08:00-20:00 or so"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_window(text)


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = hours("22:00-06:00", days="fri")  # 2026-11-20 is a Friday
    for moment, is_open in (
        ("2026-11-20 05:00", False),
        ("2026-11-20 22:00", True),
        ("2026-11-21 05:59", True),
        ("2026-11-21 06:00", False),
        ("2026-11-21 23:00", False),
    ):
        assert night.open_at(berlin(moment), BERLIN) is is_open, moment
    assert night.next_change(berlin("2026-11-21 06:00"), BERLIN) == berlin("2026-11-27 22:00")


def test_a_window_is_as_long_as_the_clock_on_the_wall_says() -> None:
    night = hours("22:00-06:00")
    for begin, end, length in (
        ("2026-03-28 22:00", "2026-03-29 06:00", 7),  # the clock went forward
        ("2026-10-24 22:00", "2026-10-25 06:00", 9),  # and back
    ):
        assert night.next_change(berlin(begin), BERLIN) == berlin(end)
        assert berlin(end) - berlin(begin) == timedelta(hours=length)


def test_a_time_that_is_skipped_or_comes_twice_is_one_moment() -> None:
    skipped, twice = hours("02:30-08:00"), hours("02:30-08:00")
    change = skipped.next_change(berlin("2026-03-29 00:00"), BERLIN)
    assert change == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    change = twice.next_change(berlin("2026-10-25 00:00"), BERLIN)
    assert change == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert twice.open_at(datetime(2026, 10, 25, 1, 15, tzinfo=UTC), BERLIN), "the second 02:15 is after it opened"


def test_windows_that_meet_are_one_and_always_never_changes() -> None:
    assert hours("08:00-12:00", "12:00-18:00").next_change(berlin("2026-11-23 09:00"), BERLIN) == berlin(
        "2026-11-23 18:00"
    )
    assert hours("00:00-24:00").next_change(berlin("2026-11-23 09:00"), BERLIN) is None
    assert hours(days="sat sun").next_change(berlin("2026-11-28 09:00"), BERLIN) == berlin("2026-11-30 00:00")


minutes = st.integers(0, 1439)


@given(
    st.lists(st.tuples(minutes, minutes), min_size=1, max_size=3),
    st.sets(st.sampled_from(DAYS)),
    st.integers(0, 366 * 24 * 60),
)
def test_between_two_changes_nothing_changes(windows: list[tuple[int, int]], days: set[str], minute: int) -> None:
    """Against a look at every minute."""
    made = Hours(tuple((a, b if b > a else b + 1440) for a, b in windows), frozenset(days))
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    change = made.next_change(now, BERLIN)
    was = made.open_at(now, BERLIN)
    stop = min(change or now + timedelta(days=2), now + timedelta(days=2))
    moment = now
    while moment < stop:
        assert made.open_at(moment, BERLIN) is was
        moment += timedelta(minutes=7)
    if change is not None:
        assert made.open_at(change, BERLIN) is not was


# ---------------------------------------------------------------- at work


def a_break(where: Where, hold: int = 600, keep: int = 0) -> RuleBook:
    return RuleBook(
        (
            Rule(
                name="long_break",
                subject="agent",
                when={"state": frozenset({"break"})},
                hold=timedelta(seconds=hold),
                keep=timedelta(seconds=keep),
                severity="info",
                where=where,
                summary=Summary(en="{for}", zh="{for}"),
            ),
        )
    )


def minute(clock: str) -> float:
    """Seconds from the start, which is 09:00 UTC, to a time of that day in Shanghai, where it is 17:00."""
    wall = datetime.fromisoformat(f"{START:%Y-%m-%d} {clock}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    return (wall - START).total_seconds()


SHANGHAI = Sites({SITE: SiteConfig(time_zone="Asia/Shanghai")})


def test_what_holds_when_the_hours_begin_begins_to_hold_with_them() -> None:
    floor = Bench(a_break(Where(hours="18:00-20:00")), SHANGHAI)
    floor(minute("17:30"), AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1", reason="tea"))
    floor.mark(minute("18:09"))
    assert floor.made(FlagRaised) == []
    floor.mark(minute("18:11"))
    (flag,) = floor.made(FlagRaised)
    assert (flag.started_at, flag.raised_at) == (at(minute("18:00")), at(minute("18:10")))


@pytest.mark.parametrize("keep", [0, 300])
def test_what_holds_when_the_hours_end_ends_with_them(keep: int) -> None:
    floor = Bench(a_break(Where(hours="16:00-18:00"), keep=keep), SHANGHAI)
    floor(minute("17:30"), AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1", reason="tea"))
    floor(minute("17:55"), AgentLoggedOn(agent_id="2"), AgentNotReady(agent_id="2", reason="tea"))
    floor.mark(minute("19:00"))
    assert [flag.subject_id for flag in floor.made(FlagRaised)] == ["1"]
    assert [flag.cleared_at for flag in floor.made(FlagCleared)] == [at(minute("18:00"))]
    floor(minute("19:01"), AgentReady(agent_id="1"), AgentNotReady(agent_id="1"))
    floor.mark(minute("23:00"))
    assert len(floor.made(FlagRaised)) == 1


def test_a_deadline_at_the_end_of_the_hours_raises_nothing() -> None:
    floor = Bench(a_break(Where(hours="16:00-18:00")), SHANGHAI)
    floor(minute("17:50"), AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor.mark(minute("19:00"))
    assert floor.made(FlagRaised) == []


def test_hours_go_on_the_next_day_and_through_a_checkpoint() -> None:
    floor = Bench(a_break(Where(hours=("08:00-12:00", "13:00-18:00"), days=("sun", "mon"))), SHANGHAI)
    floor(minute("17:00"), AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor.mark(minute("21:00"))
    after = Bench(a_break(Where(hours=("08:00-12:00", "13:00-18:00"), days=("sun", "mon"))), SHANGHAI)
    after.engine.load(floor.engine.dump())
    assert after.engine.dump() == floor.engine.dump()
    after._offset = floor._offset
    day = 86_400
    after.mark(minute("17:00") + 3 * day)
    raised = [flag.raised_at for flag in floor.made(FlagRaised) + after.made(FlagRaised)]
    assert raised == [
        at(minute("17:10")),
        at(minute("08:10") + day),
        at(minute("13:10") + day),
    ], "and not on Tuesday"


# ---------------------------------------------------------------- rules read anew in the very moment


def with_another(book: RuleBook) -> RuleBook:
    """Another rule comes; this one stays as it is."""
    return RuleBook((*book.rules, rule("long_talk", "agent", 20, state="talk")))


def with_keep(book: RuleBook) -> RuleBook:
    """This rule itself is another, and counts from now."""
    return RuleBook(tuple(msgspec.structs.replace(one, keep=timedelta(seconds=60)) for one in book.rules))


def unchanged(book: RuleBook) -> RuleBook:
    return book


CHANGES = (
    ("17:59", with_another),
    ("18:00", with_another),
    ("18:01", with_another),
    ("17:59", with_keep),
    ("18:00", with_keep),
    ("18:00", unchanged),
)


def through_a_change(book: RuleBook, moment: str, change: Change | None, *, restored: bool) -> Bench:
    """One on a break since 17:30 and one since 17:55, the rules changed at `moment`, and on until eight in the evening."""
    floor = Bench(book, SHANGHAI)
    floor(minute("17:30"), AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1", reason="tea"))
    floor(minute("17:55"), AgentLoggedOn(agent_id="2"), AgentNotReady(agent_id="2", reason="tea"))
    floor.mark(minute(moment))
    if change is not None and restored:
        before, floor.engine = floor.engine.dump(), Engine(SHANGHAI, change(book))
        floor.engine.load(before)
    elif change is not None:
        floor.facts += floor.engine.use_rules(change(book))
    floor(minute(moment), AgentLoggedOn(agent_id="3"), AgentNotReady(agent_id="3", reason="tea"))
    floor.mark(minute("19:59"))
    return floor


def flags_of(floor: Bench) -> list[tuple[str, datetime, datetime | None]]:
    """Subject, and since when and until when it was flagged."""
    ended = {flag.flag_id: flag.cleared_at for flag in floor.made(FlagCleared)}
    return [(flag.subject_id, flag.raised_at, ended.get(flag.flag_id)) for flag in floor.made(FlagRaised)]


@pytest.mark.parametrize("restored", [False, True], ids=["running", "restored"])
@pytest.mark.parametrize("window", ["18:00-19:30", "16:00-18:00"])
@pytest.mark.parametrize(("moment", "change"), CHANGES)
def test_rules_read_anew_when_hours_begin_or_end_go_on_as_if_they_had_not_been(
    moment: str, change: Change, window: str, restored: bool
) -> None:
    book = a_break(Where(hours=window))
    through = through_a_change(book, moment, None, restored=False)
    assert len(flags_of(through)) == (3 if window.startswith("18") else 1)
    assert flags_of(through_a_change(book, moment, change, restored=restored)) == flags_of(through)

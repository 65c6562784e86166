"""Whether a site is heard, judged from what was seen of the broker."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.alerts.core.commonsilence import ALL, MANY
from services.alerts.core.own import OURSELVES, OwnFlag
from services.alerts.core.sitehealth import BEHIND, LETTERS, SILENT, Health, Limits, Trouble
from tests.flagkit import T0

LIMITS = Limits(silent_after=timedelta(seconds=30), never_heard=timedelta(minutes=10), letters=5)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def health(*configured: str, limits: Limits = LIMITS) -> Health:
    return Health(lambda _: limits, configured)


def run(found: Health, start: float, end: float, *sites: str, partition: int = 0, ahead: float = 0) -> None:
    """Look each second from `start` up to before `end`; each of `sites` is heard half a second before each look."""
    for second in range(int(start), int(end)):
        for site in sites:
            found.heard(site, partition, second, at(second - 0.5 + ahead), at(second))
        found.looked(at(second))
        found.judged(at(second))


def said(found: Health, seconds: float) -> list[tuple[str, str]]:
    return sorted(one.about for one in found.judged(at(seconds)))


def test_a_site_that_is_heard_is_well_and_one_that_is_not_is_silent_since_it_was() -> None:
    found = health("s1")
    run(found, 0, 60, "s1", "s2")
    assert said(found, 60) == []
    run(found, 60, 88, "s2")
    assert said(found, 88) == []
    run(found, 88, 91, "s2")
    (trouble,) = found.judged(at(91))
    assert (trouble.rule, trouble.site) == (SILENT, "s1")
    assert (trouble.started, trouble.raised) == (at(58.5), at(88.5))
    assert found.view("s1", at(91)).state == "silent"
    run(found, 91, 93, "s1", "s2")
    assert said(found, 93) == []
    assert found.view("s1", at(93)).state == "ok"


def test_while_we_are_blind_nothing_is_said_and_afterwards_a_site_has_its_whole_time_again() -> None:
    found = health()
    run(found, 0, 60, "s1")
    found.blind()
    assert said(found, 3600) == []
    assert found.view("s1", at(3600)).state == "unknown"
    run(found, 3600, 3630)  # the broker is back, the site's connector not yet
    assert said(found, 3630) == []
    run(found, 3630, 3632)
    (trouble,) = found.judged(at(3632))
    assert (trouble.started, trouble.raised) == (at(58.5), at(3630))


def test_what_others_went_on_writing_while_we_were_blind_is_judged_by_its_stamps() -> None:
    found = health()
    run(found, 0, 60, "s1", "s2")
    found.blind()
    found.heard("s1", 0, 3600, at(3599), at(3600))
    found.heard("s2", 0, 100, at(100), at(3600))
    run(found, 3600, 3635, "s1")
    (trouble,) = found.judged(at(3635))
    assert (trouble.site, trouble.started) == ("s2", at(100))


def test_when_we_were_stopped_ourselves_nobody_was_silent() -> None:
    found = health()
    run(found, 0, 60, "s1")
    run(found, 300, 320)
    assert said(found, 320) == []


@pytest.mark.parametrize("heard_after", [True, False])
def test_after_our_clock_was_set_back_a_site_is_silent_as_soon_as_ever(heard_after: bool) -> None:
    found = health()
    run(found, 3600, 3660, "s1")
    run(found, 0, 20, *["s1"] * heard_after)
    assert said(found, 20) == []
    run(found, 20, 60)
    assert said(found, 60) == [(SILENT, "s1")]
    assert found.known["s1"] <= at(20)


def test_what_was_heard_by_a_clock_that_was_ahead_before_a_restart_holds_up_nothing() -> None:
    found = health()
    found.restore({"s1": at(3600)}, [])
    run(found, 0, 40)
    assert said(found, 40) == [(SILENT, "s1")]


def test_sites_that_are_silent_in_common_stay_so_when_our_clock_is_set_back() -> None:
    found = health()
    run(found, 3600, 3660, "s1", "s2")
    run(found, 3660, 3700)
    assert said(found, 3700) == [(ALL, OURSELVES)]
    run(found, 0, 60)
    assert said(found, 60) == [(ALL, OURSELVES)]
    run(found, 60, 62, "s1", "s2")
    assert said(found, 62) == []


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_a_broker_whose_clock_is_wrong_hides_no_silence_and_makes_none(ahead: float) -> None:
    found = health()
    run(found, 0, 120, "s1", ahead=ahead)
    assert said(found, 120) == []
    assert found.view("s1", at(120)).clock_off_s == pytest.approx(ahead, abs=2)
    run(found, 120, 155)
    assert said(found, 155) == [(SILENT, "s1")]


def test_a_configured_site_that_was_never_heard_is_trouble_only_after_its_grace() -> None:
    found = health("s1", OURSELVES)
    assert found.view("s1", at(0)).state == "unknown"
    run(found, 0, 599)
    assert said(found, 599) == []
    assert found.view("s1", at(599)).state == "never_heard"
    run(found, 599, 602)
    assert said(found, 602) == [(SILENT, "s1")]
    never = health("s1", limits=Limits(never_heard=None))
    run(never, 0, 2)
    never.looked(at(10**6))
    assert said(never, 10**6) == []


def test_monitors_are_judged_by_what_they_have_read_against_what_there_is() -> None:
    found = health()
    run(found, 0, 10, "s1")
    assert found.view("s1", at(10)).lag_s is None
    for second in range(10, 60):
        run(found, second, second + 1, "s1")
        found.progress(0, second, at(second))
        assert (found.view("s1", at(second)).lag_s or 0) <= 0.5
    assert said(found, 60) == []

    for second in range(60, 95):  # it goes on, and gets less done than there is
        run(found, second, second + 1, "s1")
        found.progress(0, 59 + (second - 60) // 10, at(second))
    (trouble,) = found.judged(at(95))
    assert trouble.about == (BEHIND, "s1")
    found.progress(0, 94, at(95))
    assert said(found, 95) == []


def test_a_dead_monitor_is_noticed_by_its_silence_and_one_that_is_well_is_enough() -> None:
    found = health()
    for second in range(60):
        run(found, second, second + 1, "s1")
        found.progress(0, second, at(second))
    run(found, 60, 93, "s1")
    assert said(found, 93) == [(BEHIND, "s1")]
    found.progress(0, 92, at(93))
    found.progress(0, 30, at(94))  # another one, far behind
    assert said(found, 94) == []


def test_nothing_to_read_is_no_lag() -> None:
    found = health()
    run(found, 0, 10, "s1")
    found.progress(0, 10, at(9))
    run(found, 10, 300)
    assert said(found, 300) == [(SILENT, "s1")]
    run(found, 300, 329, "s1")  # the monitor could say nothing before there was something to read
    assert said(found, 329) == []
    run(found, 329, 335, "s1")
    assert said(found, 335) == [(BEHIND, "s1")]


def test_a_monitor_that_was_behind_before_we_looked_is_behind_since_then() -> None:
    found = health()
    run(found, 1000, 1002, "s1")
    assert not found.remembers(0, 7)
    found.progress(0, 7, at(1001), unread=at(7))
    (trouble,) = found.judged(at(1002))
    assert trouble.evidence["lag_s"] == 994
    assert found.remembers(0, 1001)


def test_dead_letters_grow_until_few_come_and_a_replica_writes_none_of_its_own() -> None:
    found = health("s1")
    run(found, 0, 10, "s1")
    for number in range(4):
        for _replica in range(2):
            found.letter("s1", f"floor.events/0/{number}", "not_json", at(10), at(10))
    assert said(found, 11) == []
    found.letter("s1", "floor.events/0/9", "bad_headers", at(10.5), at(11))
    found.looked(at(11))
    (trouble,) = found.judged(at(11))
    assert trouble.about == (LETTERS, "s1")
    assert trouble.evidence["reasons"] == {"not_json": 4, "bad_headers": 1}
    for number in range(20, 23):
        found.letter("s1", f"floor.events/0/{number}", "not_json", at(200), at(200))
    run(found, 12, 316, "s1")
    assert said(found, 316) == [(LETTERS, "s1")]
    run(found, 316, 502, "s1")
    assert said(found, 502) == []


def test_dead_letters_of_no_known_site_are_about_ourselves() -> None:
    found = health()
    run(found, 0, 2, "s1")
    for number in range(6):
        found.letter(f"made up {number}", f"switch.raw/0/{number}", "bad_headers", at(2), at(2))
    assert said(found, 2) == [(LETTERS, OURSELVES)]


def test_after_a_restart_what_stood_stands_until_its_end_is_seen() -> None:
    flags = [
        OwnFlag(f"own:{rule}", site, rule, site, at(-100))
        for rule, site in ((SILENT, "s1"), (SILENT, "s2"), (BEHIND, "s2"))
    ]
    found = health()
    found.restore({"s1": at(-100), "s2": at(-100), "s3": at(-5000)}, flags)
    everything = [(BEHIND, "s2"), (SILENT, "s1"), (SILENT, "s2")]
    assert said(found, 0) == everything
    run(found, 0, 5, "s2")
    assert said(found, 5) == [(BEHIND, "s2"), (SILENT, "s1")]
    found.progress(0, 4, at(5))
    assert said(found, 5) == [(SILENT, "s1")]
    run(found, 5, 32, "s2")
    assert said(found, 32) == [(SILENT, "s1"), (SILENT, "s3")]  # heard before the restart, and not since


def test_what_may_be_silent_is_looked_for_before_it_is_said() -> None:
    found = health()
    run(found, 0, 10, "s1")
    assert not found.overdue(at(10))
    run(found, 10, 22)
    assert found.overdue(at(22))
    run(found, 22, 60)
    assert isinstance(next(iter(found.judged(at(60)))), Trouble)
    assert not found.overdue(at(60))


def test_sites_that_all_fall_silent_are_one_trouble_and_who_stays_silent_has_its_own_afterwards() -> None:
    found = health()
    run(found, 0, 60, "s1", "s2", "s3")
    run(found, 60, 88)
    assert said(found, 88) == []
    run(found, 88, 95)
    (trouble,) = found.judged(at(95))
    assert trouble.about == (ALL, OURSELVES)
    assert (trouble.started, trouble.raised) == (at(58.5), at(88.5))
    assert trouble.evidence == {"sites": ["s1", "s2", "s3"], "silent": 3, "expected": 3}
    assert {found.view(site, at(95)).state for site in ("s1", "s2", "s3")} == {"silent"}

    run(found, 95, 200)
    assert said(found, 200) == [(ALL, OURSELVES)]
    run(found, 200, 201, "s1")
    assert said(found, 201) == []  # ingest lives, and the others may come back in this moment
    run(found, 201, 229, "s1", "s2")
    assert said(found, 229) == []
    run(found, 229, 233, "s1", "s2")
    assert said(found, 233) == [(SILENT, "s3")]


def test_many_that_fall_silent_together_are_one_trouble_also_while_others_speak() -> None:
    found = health()
    run(found, 0, 60, "s1", "s2", "s3", "s4", "s5")
    run(found, 60, 95, "s1", "s2")
    assert said(found, 95) == [(MANY, OURSELVES)]
    run(found, 95, 97, "s1", "s2", "s3")  # two of five are not many
    assert said(found, 97) == []
    run(found, 97, 130, "s1", "s2", "s3")
    assert said(found, 130) == [(SILENT, "s4"), (SILENT, "s5")]


@pytest.mark.parametrize("rest", [("s3",), ("s3", "s4", "s5")])
def test_two_that_fall_silent_while_others_speak_are_two(rest: tuple[str, ...]) -> None:
    found = health()
    run(found, 0, 60, "s1", "s2", *rest)
    run(found, 60, 95, *rest)
    assert said(found, 95) == [(SILENT, "s1"), (SILENT, "s2")]


def test_one_after_the_other_is_not_together_and_who_was_silent_before_is_not_counted() -> None:
    found = health()
    run(found, 0, 60, "s1", "s2", "s3")
    run(found, 60, 95, "s2", "s3")
    assert said(found, 95) == [(SILENT, "s1")]
    run(found, 95, 130)
    assert said(found, 130) == [(ALL, OURSELVES), (SILENT, "s1")]
    apart = health()
    run(apart, 0, 60, "s1", "s2")
    run(apart, 60, 80, "s2")
    run(apart, 80, 115)
    assert said(apart, 115) == [(SILENT, "s1"), (SILENT, "s2")]


def test_the_only_site_is_silent_for_itself() -> None:
    found = health()
    run(found, 0, 60, "s1")
    run(found, 60, 95)
    assert said(found, 95) == [(SILENT, "s1")]


def test_a_longer_limit_of_one_site_does_not_make_two_troubles_of_one() -> None:
    found = Health(lambda site: Limits(silent_after=timedelta(minutes=5)) if site == "s2" else LIMITS)
    run(found, 0, 60, "s1", "s2")
    run(found, 60, 95)
    assert said(found, 95) == [(ALL, OURSELVES)]


def test_an_instance_that_began_later_agrees_with_what_another_one_said() -> None:
    one, other = health(), health()
    for found, skew in ((one, 0.0), (other, 4.0)):  # it found the last words of s2 some seconds later
        run(found, 0, 60, "s1", "s2", "s3")
        found.heard("s2", 0, 100, at(59 + skew), at(59 + skew))
    run(one, 60, 92)
    (trouble,) = one.judged(at(92))
    flag = OwnFlag("own:x", trouble.site, trouble.rule, trouble.site, trouble.started)
    run(other, 60, 80)
    other.adopt([flag])
    run(other, 80, 89)
    assert said(other, 89) == [(ALL, OURSELVES)]
    run(other, 89, 90, "s2")
    assert said(other, 90) == []

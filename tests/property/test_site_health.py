"""Whatever is seen of the broker, and whenever: no site is said to be silent that was heard, and none stays unnoticed."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from services.alerts.core.commonsilence import COMMON
from services.alerts.core.own import OwnFlag
from services.alerts.core.sitehealth import OWN_GAP, SILENT, Health, Limits
from tests.flagkit import T0

AFTER = timedelta(seconds=10)
SITES = ("s1", "s2", "s3")

# a look: how long after the one before, which sites wrote since then, how wrong the broker's clock is; or blindness
STEPS = st.lists(
    st.tuples(
        st.floats(0.1, 25),
        st.sets(st.sampled_from(SITES)),
        st.sampled_from(["look", "look", "look", "look", "blind"]),
        st.sampled_from([0.0, 0.0, 3600.0, -3600.0]),
    ),
    max_size=60,
)


class Truth:
    """The plain account of the same: when each was seen to be heard, and since when we see."""

    def __init__(self) -> None:
        self.heard: dict[str, datetime] = {}
        self.sight: datetime | None = None
        self.last: datetime | None = None

    def look(self, now: datetime, sites: set[str]) -> None:
        if self.last is None or now - self.last > OWN_GAP:
            self.sight = now
        self.heard |= dict.fromkeys(sites, now)
        self.last = now

    def blind(self) -> None:
        self.last = None

    def seen_silent_for(self, site: str, now: datetime) -> timedelta:
        if self.sight is None or site not in self.heard:
            return timedelta(0)
        return now - max(self.heard[site], self.sight)


@example(
    [
        (1.0, {"s1"}, "look", 0.0),
        (11.0, set(), "look", 0.0),
        (11.0, {*SITES}, "look", -3600.0),
        (1.0, {"s1"}, "look", 0.0),
    ]
)
@given(STEPS)
def test_silence_is_said_of_whom_it_is_true_and_of_nobody_else(
    steps: list[tuple[float, set[str], str, float]],
) -> None:
    health, truth = Health(lambda _: Limits(silent_after=AFTER)), Truth()
    now, offset, together, ended = T0, 0, False, T0 - timedelta(days=1)
    for gap, sites, what, wrong in steps:
        before, now = now, now + timedelta(seconds=gap)
        if what == "blind":
            said = {one.about for one in health.judged(now)}
            health.blind()
            truth.blind()
            assert {one.about for one in health.judged(now)} == said  # nothing is raised or ended unseen
            continue
        if truth.last is None:
            wrong = (
                min(wrong, 0.0) if not truth.heard else 0.0
            )  # what a first look finds can be old, and has only its stamp
        for site in sorted(sites):
            offset += 1
            stamp = before + (now - before) * 0.9 + timedelta(seconds=wrong)
            health.heard(site, 0, offset, stamp, now)
        health.looked(now)
        truth.look(now, sites)
        judged = health.judged(now)
        silent = {one.site for one in judged if one.rule == SILENT}
        was, together = together, any(one.rule in COMMON for one in judged)
        ended = now if was and not together else ended  # who is left has its whole time again
        slack = timedelta(seconds=gap)  # a record came at some moment since the last look
        for site in SITES:
            since = truth.seen_silent_for(site, now)
            if site in sites and truth.sight is not None and gap < AFTER.total_seconds():
                assert site not in silent
            if min(since, now - ended) > AFTER + slack:
                assert site in silent or together
        if sites and gap < AFTER.total_seconds() / 2:
            assert not together  # of three sites it is all or none
        for site in silent:
            assert site in truth.heard
            assert site not in sites or gap * 0.1 > AFTER.total_seconds() or wrong


@given(STEPS, st.integers(0, 60))
def test_a_restart_in_between_says_the_same_of_who_is_silent_for_long(
    steps: list[tuple[float, set[str], str, float]], restart: int
) -> None:
    one, now, offset = Health(lambda _: Limits(silent_after=AFTER)), T0, 0
    for number, (gap, sites, _, _) in enumerate(steps):
        now += timedelta(seconds=gap)
        if number == restart:
            flags = [OwnFlag("own:x", found.site, found.rule, found.site, found.started) for found in one.judged(now)]
            known = one.known
            one = Health(lambda _: Limits(silent_after=AFTER))
            one.restore(known, flags)
            assert {found.about for found in one.judged(now)} == {(flag.rule, flag.site) for flag in flags}
        for site in sorted(sites):
            offset += 1
            one.heard(site, 0, offset, now, now)
        one.looked(now)
        one.judged(now)
    last = one.known
    for _ in range(15):  # everybody falls silent but the first
        now += timedelta(seconds=1)
        offset += 1
        one.heard("s1", 0, offset, now, now)
        one.looked(now)
        one.judged(now)
    assert {found.site for found in one.judged(now)} == last.keys() - {"s1"}

"""The way to a switch is bad: one connection carries its events, our commands and what listens, so all of it breaks at once.

Bytes go by a real proxy; the connector's own time passes only where a test says so, so that no machine is too slow for it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.ingest.connectors.asterisk.connector import LISTINGS
from shared.commands import ListenStop, Resync
from shared.events import LinkDown, LinkUp
from tests.amikit import PretendSwitch, Wired, packet, stream
from tests.netkit import Proxy, proxied
from tests.unit.test_asterisk_commands import FORK, busy, hears, listen
from tests.waiting import until

pytestmark = pytest.mark.fault

FLOOR = [said for _, said in stream()]
PING_S = ANSWER_S = 5.0


class Far(Wired):
    """A connector whose way to its switch is a proxy."""

    def __init__(self, switch: PretendSwitch, way: Proxy, logs: list[Any]) -> None:
        super().__init__(switch, port=way.port, ping_s=PING_S, answer_s=ANSWER_S)
        self.way = way
        self._logs = logs
        self._waits = 0

    @property
    def downs(self) -> list[str]:
        """What was said each time when the link was lost, or lost for another reason."""
        return [link.reason.partition(":")[0] for link in self.links() if isinstance(link, LinkDown)]

    async def lost(self) -> None:
        """The link is lost, and the wait before the next attempt begins. It does not pass before `try_again`."""
        await until(lambda: len(self._pauses()) > self._waits, "the connector waits before it tries again")

    async def try_again(self) -> None:
        """That wait is over."""
        await self.lost()
        self._waits += 1
        await self.clock.advance(self._pauses()[self._waits - 1])

    def _pauses(self) -> list[float]:
        return [one["wait_s"] for one in self._logs if one["event"] == "trying again"]

    async def given_up(self) -> None:
        """Time passes until an attempt to log in is over, in steps that are shorter than the wait after it."""

        async def step() -> bool:
            await self.clock.advance(0.25)
            return len(self._pauses()) > self._waits

        await until(step, "the attempt is given up")

    async def back(self) -> None:
        """Logged in again, and what there is was listed."""
        before = self.connector.resyncs
        await self.try_again()
        await until(lambda: self.connector.resyncs > before, "what there is was asked for")
        await until(lambda: self.connector.outbox.waiting == 0)

    def each_session_is_whole(self) -> None:
        """Of each connection was written what the switch said on it, from its beginning on, byte for byte, in whole packets."""
        said = {
            talk.asked[0]["ActionID"].rpartition("-")[0]: bytes(talk.sent) for talk in self.switch.talks if talk.asked
        }
        sessions = dict.fromkeys(raw.session for raw in self.raws() if raw.kind == "event")
        assert sessions
        for session in sessions:
            written = self.stream_of(session)
            assert written.endswith(b"\r\n\r\n")
            assert said[f"fw-{session}"].startswith(written)

    def ups_and_downs(self) -> list[type]:
        return [type(link) for link in self.links()]


@contextlib.asynccontextmanager
async def far(seed: int) -> AsyncIterator[Far]:
    with capture_logs() as logs:
        async with PretendSwitch() as switch, proxied(switch.port, seed=seed) as way:
            both = Far(switch, way, logs)
            try:
                yield both
            finally:
                await both.stop()


async def test_events_in_pieces_late_and_slow_are_those_that_were_said() -> None:
    async with far(3) as site:
        site.way.up.latency_s, site.way.up.pieces = 0.02, (1, 5)
        site.way.down.latency_s, site.way.down.jitter_s, site.way.down.pieces = 0.03, 0.03, (1, 9)
        site.way.down.bytes_per_s = 2_000_000
        await site.up()
        for start in range(0, len(FLOOR), 50):
            await site.switch.talk.say(b"".join(FLOOR[start : start + 50]))
        await site.heard(len(site.switch.talk.sent))
        assert site.stream_of() == bytes(site.switch.talk.sent)
        assert site.ups_and_downs() == [LinkUp]


async def test_resets_in_the_middle_of_packets_lose_no_whole_one_and_double_none() -> None:
    async with far(5) as site:
        await site.up()
        site.way.down.reset_after = (12_000, 60_000)
        site.way.reset()
        for _ in range(8):
            logins = site.connector.logins
            await site.try_again()
            await until(lambda n=logins: site.connector.logins > n, "it comes back")  # type: ignore[misc]
            with contextlib.suppress(ConnectionError):
                for said in FLOOR * 2:
                    await site.switch.talk.say(said)
            await site.lost()
        site.way.restore()
        await site.back()
        site.each_session_is_whole()
        assert site.connector.is_up
        kinds = site.ups_and_downs()
        assert kinds[-1] is LinkUp
        assert kinds.count(LinkUp) >= 5
        assert all(one is not LinkUp or then is LinkDown for one, then in itertools.pairwise(kinds))
        assert [talk.actions("QueueStatus") != [] for talk in site.switch.talks][-1]


async def test_a_link_that_falls_silent_is_said_to_within_a_ping_and_its_answer_and_comes_back() -> None:
    async with far(7) as site:
        call, leg = await busy(site)
        site.way.go_silent()
        await site.switch.talk.say(packet(Event="PeerStatus", Peer="PJSIP/lost"))
        command = await site.send(listen(call, leg), expires_s=60)
        await until(lambda: [one for one in site.answers(command) if one.outcome == "taken"])
        await site.clock.advance(PING_S + ANSWER_S)
        await site.lost()
        assert site.downs == ["no answer"]
        assert (await site.done(command)).outcome == "failed"
        assert "no answer" in str(site.connector.check())
        await site.try_again()
        refused = await site.done(await site.send(Resync()))
        assert refused.outcome == "failed"
        assert "no link" in refused.reason
        await site.given_up()  # nobody greets it
        site.way.restore()
        hears(site)
        await site.back()
        assert site.connector.check() is None
        site.each_session_is_whole()
        assert b"PJSIP/lost" not in site.stream_of()
        assert [one["Action"] for one in site.switch.talk.asked if one["Action"] in LISTINGS] == list(LISTINGS)
        assert (await site.done(await site.send(ListenStop(fork_id=FORK)))).outcome == "done", "nothing of it is left"


async def test_what_was_held_for_too_long_is_of_the_old_link_and_is_not_told_after_its_end() -> None:
    async with far(11) as site:
        await site.up()
        old = site.raws()[0].session
        site.way.hold()
        for said in FLOOR[:200]:
            await site.switch.talk.say(said)
        await site.clock.advance(PING_S + ANSWER_S)
        await site.lost()
        site.way.go_on()
        await site.back()
        for said in FLOOR[:200]:
            await site.switch.talk.say(said)
        new = len(site.switch.talk.sent)
        await until(lambda: len(site.stream_of(site.raws()[-1].session)) == new, "all that was said since")
        sessions = [raw.session for raw in site.raws()]
        first_of_new = next(n for n, session in enumerate(sessions) if session != old)
        assert old not in sessions[first_of_new:]
        assert site.ups_and_downs() == [LinkUp, LinkDown, LinkUp]
        site.each_session_is_whole()


async def test_a_listen_that_is_cut_off_while_it_begins_is_told_and_can_be_ordered_again() -> None:
    """The order reaches the switch, its answer does not reach us: it may run there, so ending it must be asked for again."""
    async with far(13) as site:
        call, leg = await busy(site)
        site.way.hold()
        command = await site.send(listen(call, leg), expires_s=60)
        await until(lambda: [one for one in site.answers(command) if one.outcome == "taken"])
        site.way.reset()
        answer = await site.done(command)
        assert (answer.outcome, answer.fork_id) == ("failed", FORK)
        assert "link to the switch was lost" in answer.reason
        site.way.go_on()
        await site.back()
        stopped = await site.done(await site.send(ListenStop(fork_id=FORK)))
        assert stopped.outcome == "done"
        assert site.switch.talk.actions("Hangup"), "the switch is asked to end it although we never heard that it began"

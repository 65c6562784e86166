"""The Asterisk connector at a pretend switch that speaks recorded bytes: what it writes, what it says of the link."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from services.ingest.connectors.asterisk.app import app_for
from services.ingest.connectors.asterisk.backoff import LoginBackoff
from services.ingest.connectors.asterisk.connector import LISTINGS
from services.ingest.connectors.asterisk.failures import ADVICE, What
from services.ingest.connectors.asterisk.metrics import AsteriskMetrics
from shared import topics
from shared.events import LinkDown, LinkUp, Snapshot
from shared.service import Background
from shared.settings import AsteriskSettings, load
from tests.amikit import PASSWORD, USER, Wired, packet, wired
from tests.unit.test_web_strings import LANGUAGES, SHARED, strings_of
from tests.waiting import until


def downs(site: Wired) -> list[LinkDown]:
    return [link for link in site.links() if isinstance(link, LinkDown)]


async def test_it_logs_in_says_so_and_asks_what_there_is() -> None:
    async with wired() as site:
        await site.up()
        first, *rest = site.raws()
        assert first.kind == "link"
        (link,) = site.links()
        assert link == LinkUp(connector="asterisk", switch="Asterisk 20.7.0")
        assert [one["Action"] for one in site.switch.talk.asked if one["Action"] in LISTINGS] == list(LISTINGS)
        assert site.stream_of(first.session) == bytes(site.switch.talk.sent), "every byte, in its order"
        assert {raw.session for raw in rest} == {first.session}
        assert [raw.seq for raw in site.raws()] == list(range(len(rest) + 1))
        assert any(isinstance(event.data, Snapshot) for event in site.events())
        assert len(site.switch.talks) == 1


async def test_the_password_is_not_sent() -> None:
    async with wired() as site:
        await site.up()
        (login,) = site.switch.talk.actions("Login")
        assert login["Username"] == USER
        assert login["Events"] == "system,call,agent,user,dtmf"
        assert PASSWORD not in str(login)


async def test_a_wrong_password_reads_as_one_and_is_not_tried_again_soon() -> None:
    async with wired(password="wrong") as site:
        await site.start()
        await site.pass_s(10)
        (link,) = site.links()
        assert link == LinkDown(connector="asterisk", reason=f"wrong user or password: 127.0.0.1:{site.switch.port}")
        assert len(site.switch.talks) == 1
        assert site.stream_of() == b"", "nothing of it is the floor's"
        await site.pass_s(10)
        assert len(site.switch.talks) == 2
        assert len(site.links()) == 1


async def test_a_port_that_refuses_and_a_name_that_nobody_has_are_told_apart() -> None:
    async with wired() as site:
        await site.switch.close()
        await site.start()
        await site.pass_s(2)
        assert [link.reason for link in downs(site)] == [f"connection refused: 127.0.0.1:{site.switch.port}"]
        assert site.connector.check() is not None
    async with wired(host="no-such-host.invalid") as site:
        await site.start()
        await until(lambda: site.connector.failures["unknown host"])
        await site.bus.flush()
        assert [link.reason for link in downs(site)] == [f"unknown host: no-such-host.invalid:{site.switch.port}"]


async def test_a_host_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    async with wired(connect_s=4) as site:
        monkeypatch.setattr(asyncio, "open_connection", never)
        await site.start()
        await site.pass_s(5)
        assert [link.reason.partition(":")[0] for link in downs(site)] == ["host unreachable"]


@pytest.mark.parametrize("greets", [None, b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_port_of_something_else_is_no_manager_port(greets: bytes | None) -> None:
    async with wired() as site:
        site.switch.greets = greets
        await site.start()
        await site.pass_s(6)
        assert {link.reason.partition(":")[0] for link in downs(site)} == {"no manager port"}
        assert site.stream_of() == b""


async def test_a_connection_on_which_nothing_comes_any_more_is_given_up() -> None:
    async with wired(ping_s=5, answer_s=5) as site:
        await site.up()
        site.switch.deaf |= {"Ping", *LISTINGS}
        await site.pass_s(5)
        assert site.connector.is_up
        await site.pass_s(6)
        assert [link.reason.partition(":")[0] for link in downs(site)] == ["no answer"]
        assert site.connector.failures == {"no answer": 1}
        site.switch.deaf.clear()
        await site.pass_s(2)
        assert site.connector.is_up
        assert len(site.switch.talks) == 2


async def test_one_that_answers_no_ping_but_speaks_is_alive() -> None:
    async with wired() as site:
        await site.up()
        site.switch.deaf.add("Ping")
        for number in range(8):
            await site.switch.talk.say(packet(Event="PeerStatus", Peer=f"PJSIP/{number}"))
            await site.pass_s(2)
        assert site.connector.is_up
        assert downs(site) == []


async def test_a_link_is_said_to_be_alive_without_sounding_like_a_new_one() -> None:
    async with wired(ping_s=5) as site:
        await site.up()
        await site.pass_s(16)
        beats = [raw for raw in site.raws() if raw.kind == "link"]
        assert len(beats) >= 4
        assert len(site.links()) == 1


async def test_the_switch_says_that_it_ends() -> None:
    async with wired() as site:
        await site.up()
        await site.switch.talk.say(
            packet(Event="Shutdown", Privilege="system,all", Shutdown="Cleanly", Restart="False")
        )
        site.switch.talk.cut()
        await site.pass_s(0.5)
        assert downs(site)[0].reason.startswith(("switch shut down", "connection lost"))
        await site.pass_s(2)
        assert site.connector.is_up


async def test_it_comes_back_by_itself_and_asks_everything_anew() -> None:
    async with wired() as site:
        await site.up()
        for count in (2, 3):
            site.switch.talk.cut()
            await until(lambda: not site.connector.is_up)
            await site.pass_s(3)
            await until(lambda n=count: site.connector.resyncs == n)  # type: ignore[misc]
        assert [type(link) for link in site.links()] == [LinkUp, LinkDown, LinkUp, LinkDown, LinkUp]
        assert [len(talk.actions("QueueStatus")) for talk in site.switch.talks] == [1, 1, 1]
        assert len({raw.session for raw in site.raws()}) == 3


async def test_listings_are_asked_for_every_minute_and_when_the_switch_has_begun() -> None:
    async with wired(resync_s=60) as site:
        await site.up()
        await site.pass_s(61)
        assert len(site.switch.talk.actions("QueueStatus")) == 2
        await site.switch.talk.say(packet(Event="FullyBooted", Privilege="system,all", Uptime=1))
        await until(lambda: len(site.switch.talk.actions("QueueStatus")) == 3)
        assert len(site.switch.talks) == 1


async def test_a_listing_that_is_not_allowed_leaves_the_others() -> None:
    async with wired() as site:
        site.switch.answers["CoreShowChannels"] = lambda _, headers: [
            packet(Response="Error", ActionID=headers["ActionID"], Message="Permission denied")
        ]
        with capture_logs() as logs:
            await site.up()
        assert site.switch.talk.actions("DeviceStateList")
        assert any("CoreShowChannels: Permission denied" in str(line.get("why")) for line in logs)


async def test_a_flood_is_not_dropped_reading_stops_and_the_board_is_told() -> None:
    async with wired() as site:
        await site.up()
        site.connector.outbox._max_records = 50
        site.bus.stall(topics.SWITCH_RAW)
        told = b"".join(packet(Event="PeerStatus", Peer=f"PJSIP/{number}") for number in range(3000))
        with capture_logs() as logs:
            saying = asyncio.create_task(site.switch.talk.say(told))
            await until(lambda: site.connector.outbox.is_full)
            await site.pass_s(12)
            assert site.connector.is_up, "a connection that is not read is not taken for a dead one"
            assert site.connector.outbox.waiting <= 51
            assert site.connector.outbox.full_s > 10
            site.bus.recover()
            await saying
            await site.pass_s(3)
        await until(lambda: site.connector.outbox.waiting == 0)
        assert told in site.stream_of()
        assert site.stream_of() == bytes(site.switch.talk.sent)
        up, down, again = site.links()
        assert isinstance(up, LinkUp)
        assert isinstance(down, LinkDown)
        assert down.reason.startswith("too many events: ")
        assert again == LinkUp(connector="asterisk", switch="Asterisk 20.7.0", resumed=True)
        assert site.connector.failures == {"too many events": 1}
        assert any("nothing is read from the switch" in line["event"] for line in logs)
        await site.pass_s(11)
        assert len(site.links()) == 3, "its heartbeats repeat what was said last"


async def test_a_switch_that_cuts_who_does_not_read_is_told_from_a_lost_connection() -> None:
    async with wired() as site:
        await site.up()
        site.connector.outbox._max_records = 50
        site.bus.stall(topics.SWITCH_RAW)
        told = b"".join(packet(Event="PeerStatus", Peer=f"PJSIP/{number}") for number in range(300))
        await site.switch.talk.say(told)
        await until(lambda: site.connector.outbox.is_full)
        await site.pass_s(4)
        site.switch.talk.writer.close()
        site.bus.recover()
        await until(lambda: site.connector.failure is not None)
        assert site.connector.failure is not None
        assert site.connector.failure.what == "too many events"
        assert told in site.stream_of(), "what it said before is not lost"
        await site.pass_s(3)
        assert [type(link) for link in site.links()][-1] is LinkUp
        assert len(site.switch.talks) == 2


async def test_health_has_a_check_for_each_switch() -> None:
    async with wired() as site, Background() as background:
        app = app_for([site.connector], load(AsteriskSettings), background)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
            before = await http.get("/readyz")
            await site.up()
            after = await http.get("/readyz")
            metrics = await http.get("/metrics")
        assert (before.status_code, after.status_code) == (503, 200)
        assert before.json()["checks"]["switch of hq"] == {"ok": False, "reason": "not logged in yet"}
        assert 'asterisk_link_up{site="hq"} 1.0' in metrics.text


async def test_a_broker_that_goes_and_comes_gets_everything_once() -> None:
    async with wired() as site:
        await site.up()
        site.bus.break_down()
        told = [packet(Event="PeerStatus", Peer=f"PJSIP/{number}") for number in range(50)]
        await site.switch.talk.say(*told)
        await until(lambda: site.connector.outbox.waiting >= 50)
        await site.pass_s(2)
        site.bus.recover()
        await site.pass_s(6)
        await until(lambda: site.connector.outbox.waiting == 0)
        assert site.stream_of() == bytes(site.switch.talk.sent)
        assert [raw.seq for raw in site.raws()] == list(range(len(site.raws())))


async def test_its_end_is_said() -> None:
    async with wired() as site:
        await site.up()
        await site.stop()
        assert downs(site)[-1].reason == f"connector stopped: 127.0.0.1:{site.switch.port}"
        assert site.switch.talk.actions("Logoff") or site.switch.talk.writer.is_closing()


async def test_metrics_say_which_failure_it_was() -> None:
    async with wired(password="wrong") as site:
        await site.start()
        await until(lambda: site.connector.failure is not None)
        registry = CollectorRegistry()
        registry.register(AsteriskMetrics([site.connector]))
        value = registry.get_sample_value
        assert value("asterisk_link_failures_total", {"site": "hq", "what": "wrong_user_or_password"}) == 1
        assert value("asterisk_link_failures_total", {"site": "hq", "what": "no_answer"}) == 0
        assert value("asterisk_link_up", {"site": "hq"}) == 0
        assert PASSWORD not in generate_latest(registry).decode()


def test_waits_grow_and_start_anew() -> None:
    backoff = LoginBackoff(chance=lambda: 0.0)
    assert [backoff.next_s("connection refused") for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [backoff.next_s("wrong user or password") for _ in range(6)] == [15, 30, 60, 120, 240, 300]
    backoff.worked()
    assert LoginBackoff(chance=lambda: 1.0).next_s("no answer") == 0.25
    assert backoff.next_s("connection lost") == 0.5


def test_every_failure_has_advice_and_words_in_both_languages() -> None:
    words = strings_of(SHARED)
    for what in get_args(What):
        assert what in ADVICE
        for language in LANGUAGES:
            assert "{where}" in words[language][f"link_reason.{what.replace(' ', '_')}"]

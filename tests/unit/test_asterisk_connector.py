"""The Asterisk connector at a pretend switch that speaks recorded bytes: what it writes, what it says of the link."""

from __future__ import annotations

from services.ingest.connectors.asterisk.connector import LISTINGS
from shared.events import LinkDown, LinkUp, Snapshot
from tests.amikit import PASSWORD, USER, wired


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

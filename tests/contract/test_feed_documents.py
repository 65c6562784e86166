"""What the AsyncAPI document promises is what is on the wire, in both directions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from services.monitor.asyncdoc import CLOSE_CODES, comes_back
from services.monitor.feed import messages
from shared.events import CallStarted, Clock, LegAnswered, LegStarted, LinkUp, TransferRequested
from shared.memorybus import MemoryBus
from tests.contract.test_monitor import Running, message, running, say
from tests.floorkit import SITE

FEED_DOC = Path(__file__).parents[2] / "docs" / "feed.md"


class Document:
    """The served document, and what it says of a message."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    def check(self, said: dict[str, Any], by: str) -> None:
        """Raise unless the operation `by` has this message and its schema fits."""
        listed = {one["$ref"].rsplit("/", 1)[-1] for one in self.found["operations"][by]["messages"]}
        assert said["type"] in listed
        reference = self.found["components"]["messages"][said["type"]]["payload"]["$ref"]
        Draft202012Validator({"$ref": reference, "components": self.found["components"]}).validate(said)


@pytest_asyncio.fixture
async def floor() -> AsyncIterator[Running]:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, LinkUp(connector="test"), CallStarted(call_id="c", from_number="+4559778150"))
        await floor.happens(1, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegAnswered(call_id="c", leg_id="l"))
        yield floor


async def documented(floor: Running) -> Document:
    answer = await floor.http.get("/asyncapi.json")
    assert answer.status_code == 200
    return Document(answer.json())


async def test_every_message_of_a_conversation_is_as_documented(floor: Running) -> None:
    document = await documented(floor)
    heard: set[str] = set()

    async def hear(*kinds: str) -> Any:
        found = await message(client, *kinds)
        document.check(found, "told")
        heard.add(found["type"])
        return found

    async def tell(**said: Any) -> None:
        document.check(said, "asked")
        await say(client, **said)

    async with floor.feed() as client:
        await hear("hello")
        await tell(type="subscribe", channels=["calls", "flags", "agents"], filter={"sites": [SITE]})
        snapshot = await hear("snapshot")
        request = TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2")
        await floor.happens(10, request)
        await floor.happens(17.05, Clock())
        kinds: set[str] = set()
        while not {"flag", "agent", "transfer"} <= kinds:
            kinds |= {change["kind"] for change in (await hear("delta"))["changes"]}
        await hear("clock")
        await tell(type="ping", id="a")
        assert (await hear("pong"))["id"] == "a"
    async with floor.feed() as client:
        await tell(
            type="resume",
            epoch=snapshot["epoch"],
            position=snapshot["position"],
            channels=["calls", "flags", "agents"],
            filter={"sites": [SITE]},
        )
        await hear("resumed")
        await hear("delta")
    assert heard == set(document.found["components"]["messages"]) - {"subscribe", "resume", "ping"}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "agent", "key": "hq/1", "value": {"agent_id": 1}},
        {"kind": "agent", "key": "hq/1"},
        {"kind": "person", "key": "hq/1", "value": None},
    ],
)
async def test_the_document_refuses_what_is_never_sent(floor: Running, change: dict[str, Any]) -> None:
    document = await documented(floor)
    document.check(
        {"type": "delta", "position": 1, "changes": [{"kind": "agent", "key": "hq/1", "value": None}]}, "told"
    )
    with pytest.raises(ValidationError):
        document.check({"type": "delta", "position": 1, "changes": [change]}, "told")


async def test_close_codes_are_the_same_everywhere(floor: Running) -> None:
    in_code = {
        value for name, value in vars(messages).items() if name.isupper() and type(value) is int and value >= 4000
    }
    assert set(CLOSE_CODES) == in_code
    listed = (await documented(floor)).found["channels"]["feed"]["x-close-codes"]
    assert {one["code"]: one["reconnect"] for one in listed} == {code: comes_back(code) for code in in_code}
    rows = [line.split("|") for line in FEED_DOC.read_text(encoding="utf-8").splitlines() if line.startswith("| 4")]
    written = {int(cells[1]): cells[3].strip().startswith("yes") for cells in rows}
    assert written == {code: comes_back(code) for code in in_code}


async def test_all_references_lead_somewhere(floor: Running) -> None:
    found = (await documented(floor)).found
    text = json.dumps(found)
    references = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    assert references
    for reference in references:
        place: Any = found
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]

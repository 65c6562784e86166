"""What takes connections at KAFKA_BOOTSTRAP and is no broker for us: what is said of it names the setting to look at."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import kafkaprobe
from shared.errors import BusError
from shared.kafka import KafkaBus
from shared.kafkaprobe import addresses_of, brokers_in, why_of_no_use
from shared.topics import SWITCH_RAW
from tests.embedded import embedded_broker
from tests.servingkit import Authority, served, tls_of
from tests.unit.test_tls import an_app
from tests.waiting import PATIENCE_S
from tools.servers import HOST, free_port

NO_KAFKA = "what answers there is no Kafka: see KAFKA_BOOTSTRAP"
HANGS_UP = "it hangs up: is it Kafka, and does it want TLS? See KAFKA_BOOTSTRAP and KAFKA_SECURITY_PROTOCOL"
SIGN_IN = "it hangs up on who does not sign in: see KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers may take its time: where a machine is busy, a second is soon over."""
    monkeypatch.setattr(kafkaprobe, "_ANSWER_S", PATIENCE_S)
    monkeypatch.setattr(kafkaprobe, "_WAY_S", PATIENCE_S)


@asynccontextmanager
async def speaking(*answers: bytes, before: bytes = b"", stays: bool = False) -> AsyncIterator[str]:
    """The address of a server that answers so, one after the other, and hangs up then unless it `stays`."""
    over = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        for answer in answers:
            if await reader.read(1000):
                writer.write(answer)
        if stays:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(speak, HOST, 0)
    try:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def framed(answer: bytes, number: int = 1) -> bytes:
    return struct.pack(">ii", 4 + len(answer), number) + answer


def brokers(*named: tuple[str, int]) -> bytes:
    """An answer that names these brokers, and no topic."""
    found = struct.pack(">i", len(named))
    for host, port in named:
        found += struct.pack(f">ih{len(host)}si", 1, len(host), host.encode(), port)
    return framed(found + struct.pack(">i", 0))


VERSIONS = framed(struct.pack(">hi", 0, 0))
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ((HTTP,), NO_KAFKA),
        ((b"E\0\0\0\x50SFATAL\0",), NO_KAFKA),  # PostgreSQL
        ((b"-ERR unknown command\r\n",), NO_KAFKA),  # Redis
        ((b"4",), NO_KAFKA),
        ((framed(b"x" * 100, number=7),), NO_KAFKA),
        ((), HANGS_UP),
        ((b"\x15\x03\x03\x00\x02\x02\x0a",), "it wants TLS: see KAFKA_SECURITY_PROTOCOL"),
        ((VERSIONS, b""), SIGN_IN),
        ((VERSIONS, HTTP), NO_KAFKA),
        ((VERSIONS, framed(b"\xff\xff")), None),  # of a version of its own
        ((VERSIONS, brokers()), None),
    ],
)
async def test_what_answers_is_told_by_what_it_says(answers: tuple[bytes, ...], why: str | None) -> None:
    async with speaking(*answers) as address:
        assert await why_of_no_use(address) == why


async def test_what_speaks_first_is_no_kafka_and_is_not_waited_for() -> None:
    async with speaking(before=b"220 mail.example.org ESMTP\r\n", stays=True) as address:
        assert await why_of_no_use(address) == NO_KAFKA


async def test_what_says_nothing_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafkaprobe, "_ANSWER_S", 0.2)
    async with speaking(stays=True) as address:
        assert await why_of_no_use(address) == "no answer in time"


async def test_a_broker_under_a_name_that_nobody_can_reach_is_told_with_it() -> None:
    gone = free_port()
    async with speaking(VERSIONS, brokers((HOST, gone))) as address:
        assert await why_of_no_use(address) == (
            f"it sends clients on to {HOST}:{gone}, and there: connection refused. See the broker's advertised.listeners"
        )
        port = addresses_of(address)[0][1]
        async with speaking(VERSIONS, brokers((HOST, gone), (HOST, port))) as another:
            assert await why_of_no_use(another) is None, "one of its brokers can be reached"


async def test_a_service_of_ours_over_tls_is_said_to_want_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with served(an_app(), tls=tls_of(authority.sign(HOST))) as port:
        assert await why_of_no_use(f"{HOST}:{port}") in ("it wants TLS: see KAFKA_SECURITY_PROTOCOL", HANGS_UP)


async def test_a_real_broker_gives_no_reason(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker.log") as broker:
        assert await why_of_no_use(broker.bootstrap) is None
        assert await why_of_no_use(f"{HOST}:{free_port()}") is None, "that is told by whoever cannot connect"


async def test_who_uses_the_bus_is_told() -> None:
    async with speaking(HTTP) as address:
        bus = KafkaBus(address, request_timeout_s=60)
        with pytest.raises(BusError, match=rf"^cannot reach Kafka at {address}: {NO_KAFKA} \(connecting\)$"):
            await bus.create([SWITCH_RAW])
        with pytest.raises(BusError, match=NO_KAFKA):
            await bus.publish(SWITCH_RAW, b"x", key="site")
        await bus.close()


@given(st.binary(max_size=200))
def test_whatever_bytes_name_brokers_or_none(answer: bytes) -> None:
    assert all(isinstance(host, str) and isinstance(port, int) for host, port in brokers_in(answer))


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 65535)), max_size=5))
def test_brokers_are_found_by_the_names_that_they_give_themselves(named: list[tuple[str, int]]) -> None:
    found = struct.pack(">i", len(named))
    for host, port in named:
        name = host.encode()
        found += struct.pack(f">ih{len(name)}si", 1, len(name), name, port)
    assert brokers_in(found) == named

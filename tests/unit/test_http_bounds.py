"""What a service hangs up on before any route is asked: by hand, byte by byte, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request, Response, WebSocket
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from websockets.asyncio.client import connect

from shared import httpserver
from shared.clock import SystemClock
from shared.http import create_app
from shared.httpserver import AT_LEAST, BODY_S, HEAD_S, WAITING, Admission, BoundedHttp
from shared.limits import BODY_BYTES, Limits
from shared.settings import MonitorSettings
from tests.servingkit import Authority, served, tls_of
from tests.waiting import PATIENCE_S, until

BIG = 32 << 20

pytestmark = pytest.mark.asyncio(loop_scope="module")


def an_app(**settings: Any) -> FastAPI:
    app = create_app("monitor", limits=Limits(SystemClock(), MonitorSettings(**settings), bodies={"/long": 1 << 20}))

    @app.post("/count")
    @app.post("/long")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.get("/big")
    async def big() -> Response:
        return Response(bytes(BIG))

    @app.get("/later")
    async def later(request: Request) -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()

    return app


class Line:
    """A connection by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, json.loads(body)

    async def over(self) -> bytes:
        """What comes until the other side has hung up."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionResetError):
                return await self.reader.read()
            return b""


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    async with served(an_app()) as found:
        yield found


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(get("/healthz?" + "x" * 9000), 414, id="a long address"),
        pytest.param(get("/healthz", f"Cookie: {'x' * 33_000}"), 431, id="a long header"),
        pytest.param(get("/healthz", *(f"X-{n}: 1" for n in range(120))), 431, id="many headers"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nX-Endless: " + b"x" * 200_000, 431, id="a header without an end"),
        pytest.param(b"\r\n" * 100_000, 431, id="empty lines without an end"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS to a port that speaks none"),
        pytest.param(get("/count", "Transfer-Encoding: chunked", "Content-Length: 5", method="POST"), 400, id="two lengths"),
        pytest.param(
            get("/count", "Transfer-Encoding: chunked", method="POST")
            + b"1\r\nx\r\n0\r\n"
            + b"".join(b"X-Trailer-%d: 1\r\n" % n for n in range(200)),
            431,
            id="headers behind a body",
        ),
    ],
)  # fmt: skip
async def test_a_head_that_is_none_is_refused_with_the_reason(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes, status: int
) -> None:
    monkeypatch.setattr(httpserver, "LINGER_S", 0.1)
    async with line(port) as client:
        await client.send(sent)
        found, headers, document = await client.answer()
        assert (found, document["status"]) == (status, status)
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert await client.over() == b""


async def test_ordinary_requests_share_a_connection_also_when_they_come_at_once(port: int) -> None:
    async with line(port) as client:
        for sent in (get("/healthz"), get("/healthz") * 3, get("/count", "Content-Length: 3", method="POST") + b"abc"):
            await client.send(sent)
            for _ in range(sent.count(b"HTTP/1.1")):
                status, _, body = await client.answer()
                assert status == 200
        assert body == 3
        await client.send(get("/readyz"))
        assert (await client.answer())[2]["status"] == "ready"


async def test_who_says_nothing_or_little_by_little_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lines_of(monkeypatch)
    async with line(port) as slow:
        await slow.send(get("/healthz")[:-2])
        await until(lambda: made and made[0]._phase == "head", "it has come")
        made[0]._late(HEAD_S)  # the time is over
        status, _, document = await slow.answer()
        assert (status, document["detail"]) == (408, "the head did not come within 10 s")
    monkeypatch.setattr(httpserver, "HEAD_S", 0.2)
    async with line(port) as silent, line(port) as dripping:
        assert await silent.over() == b""

        async def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await dripping.send(b"\r\n")
                    await asyncio.sleep(0.02)

        dripper = asyncio.create_task(drip())
        assert await dripping.over() == b""
        await dripper


async def test_a_second_request_that_never_ends_is_hung_up_on_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with line(port) as client:
        monkeypatch.setattr(httpserver, "HEAD_S", 0.2)
        await client.send(get("/healthz") + get("/healthz")[:-2])
        assert (await client.answer())[0] == 200
        assert (await client.answer())[0] == 408


async def test_a_body_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpserver, "BODY_S", 0.2)
    async with line(port) as client:
        await client.send(get("/count", "Content-Length: 10", method="POST") + b"half ")
        status, _, document = await client.answer()
        assert (status, document["detail"]) == (408, "the body did not come within 0.2 s")


async def test_a_long_body_may_take_long_as_long_as_it_comes(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lines_of(monkeypatch)
    async with line(port) as client:
        await client.send(get("/long", f"Content-Length: {1 << 20}", method="POST"))
        for _ in range(3):
            await client.send(bytes(AT_LEAST))
            await until(lambda: made[0]._body_bytes >= AT_LEAST, "it has come")
            made[0]._late(BODY_S)  # the time is over
        await client.send(b"x" * 100)  # a byte now and then is not enough
        await until(lambda: made[0]._body_bytes == 100, "it has come")
        made[0]._late(BODY_S)
        status, _, document = await client.answer()
        assert (status, document["detail"]) == (408, "the body did not come within 30 s")


CHUNK = b"%x\r\n" % 65_536 + bytes(65_536) + b"\r\n"


@pytest.mark.parametrize(
    ("path", "header", "body", "expected"),
    [
        ("/count", f"Content-Length: {BODY_BYTES}", bytes(BODY_BYTES), BODY_BYTES),
        ("/count", f"Content-Length: {BODY_BYTES + 1}", bytes(BODY_BYTES + 1), None),
        ("/count", "Transfer-Encoding: chunked", CHUNK * 4 + b"0\r\n\r\n", 4 * 65_536),
        ("/count", "Transfer-Encoding: chunked", CHUNK * 5 + b"0\r\n\r\n", None),
        ("/long", "Transfer-Encoding: chunked", CHUNK * 16 + b"0\r\n\r\n", 1 << 20),
        ("/long", "Transfer-Encoding: chunked", CHUNK * 17 + b"0\r\n\r\n", None),
        ("/healthz", "Transfer-Encoding: chunked", CHUNK * 17 + b"0\r\n\r\n", None),
    ],
    ids=["as long as it may be", "longer", "in pieces", "too many pieces", "a longer one", "too long", "for nothing"],
)
async def test_a_body_is_as_long_as_it_may_be_there(
    port: int, path: str, header: str, body: bytes, expected: int | None
) -> None:
    async with line(port) as client:
        client.writer.write(get(path, header, method="POST") + body)
        status, _, found = await client.answer()
        if expected is not None:
            assert (status, found) == (200, expected)
        elif path == "/healthz":
            assert status == 405
        else:
            assert (status, found["detail"][:18]) == (413, "a body here has at")
        await client.writer.drain()
        await client.send(get("/healthz"))
        assert (await client.answer())[0] == 200, "whoever sent too much may go on"


async def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpserver, "UNREAD_S", 0.2)
    held: list[Admission] = []
    enter = Admission.enter
    monkeypatch.setattr(Admission, "enter", lambda self, address: (held.append(self), enter(self, address))[1])
    async with served(an_app()) as port, line(port) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(get("/big"))
        await until(lambda: held and not held[0].count, "the line is cut")


def lines_of(monkeypatch: pytest.MonkeyPatch) -> list[BoundedHttp]:
    """Those that the server will have, as they come."""
    made: list[BoundedHttp] = []
    begin = BoundedHttp.connection_made
    monkeypatch.setattr(BoundedHttp, "connection_made", lambda self, by: (made.append(self), begin(self, by))[1])
    return made


async def rest(client: Line) -> int:
    """How many bytes come until the other side has hung up, read at leisure."""
    found = 0
    async with asyncio.timeout(PATIENCE_S):
        while piece := await client.reader.read(1 << 20):
            found += len(piece)
    return found


async def test_an_answer_that_is_read_slowly_comes_whole_though_its_connection_is_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lines_of(monkeypatch)
    monkeypatch.setattr(httpserver, "LINGER_S", 0.02)
    async with line(port) as client:
        await client.send(get("/big"))
        await until(lambda: made and made[0].transport.get_write_buffer_size(), "it waits to be read")
        made[0].timeout_keep_alive_handler()  # nothing else was asked for some seconds
        closed = made[0]._unread
        await until(lambda: made[0]._unread is not closed, "what was closed is looked at")
        for _ in range(3):
            waits = made[0].transport.get_write_buffer_size()
            await client.reader.readexactly(8 << 20)
            await until(lambda waits=waits: made[0].transport.get_write_buffer_size() < waits - AT_LEAST, "it is read")
            made[0]._stop_looking()
            made[0]._look_at_reader(waits)  # the time is over, and some of it was read
        assert await rest(client) > BIG - 3 * (8 << 20), "and its head"
        await until(lambda: made[0]._unread is None, "nobody looks after one that is gone")


async def test_by_tls_what_is_read_slowly_comes_whole_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lines_of(monkeypatch)
    authority = Authority(tmp_path)
    async with served(an_app(), tls=tls_of(authority.sign())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.trusting())
        client = Line(reader, writer)
        await client.send(get("/big", "Connection: close"))
        await until(lambda: made and made[0].transport.is_closing(), "all was written")
        over = asyncio.get_running_loop().time() + 2 * httpserver.LINGER_S
        await until(lambda: asyncio.get_running_loop().time() > over, "a goodbye that is not answered would be over")
        assert await rest(client) > BIG
        writer.close()


WEBSOCKET = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize("wrong", ["Content-Length: 5", "Transfer-Encoding: chunked", f"Cookie: {'x' * 9000}"])
async def test_a_question_for_a_websocket_that_cannot_be_read_is_refused_and_does_not_stay(
    port: int, wrong: str
) -> None:
    async with line(port) as client:
        await client.send(get("/ws", *WEBSOCKET, wrong))
        status, _, document = await client.answer()
        assert (status, document["detail"][:26]) == (400, "who asks for a WebSocket h")
        assert await client.over() == b""


@pytest.mark.parametrize("headers", [WEBSOCKET, WEBSOCKET[:3]], ids=["a good one", "one without a key"])
async def test_asking_for_a_websocket_is_no_way_to_leave_an_answer_unread_for_ever(
    monkeypatch: pytest.MonkeyPatch, headers: tuple[str, ...]
) -> None:
    made = lines_of(monkeypatch)
    async with served(an_app()) as port, line(port) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(get("/big"))
        await until(lambda: made and made[0].cycle is not None and made[0].cycle.response_complete, "it is written")
        await client.send(get("/ws", *headers))
        lost = made[0].transport.get_extra_info("socket")
        await until(lambda: lost.fileno() < 0, "the line is cut")


async def test_a_websocket_does_not_begin_while_something_else_is_under_way(port: int) -> None:
    async with line(port) as client:
        await client.send(get("/later") + get("/ws", *WEBSOCKET))
        status, _, document = await client.answer()
        assert (status, document["detail"][:19]) == (400, "a WebSocket begins ")
        assert await client.over() == b""


async def test_few_requests_of_a_connection_wait_for_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    made = lines_of(monkeypatch)
    async with served(an_app()) as port, line(port) as client:
        await client.send(get("/later") + get("/healthz") * WAITING)
        await until(lambda: made and len(made[0].pipeline) == WAITING, "they wait")
        await client.send(get("/healthz"))
        made[0].flow.resume_reading()  # else they would wait in the system
        assert await client.over() == b""
        await until(lambda: not made[0].pipeline, "and are forgotten")


async def test_one_address_has_so_many_connections_and_no_more() -> None:
    app = an_app(max_http_connections_each=5, trusted_proxies=())
    async with served(app) as port, contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(line(port)) for _ in range(5)]
        for one in lines:
            await one.send(get("/healthz"))
            assert (await one.answer())[0] == 200
        async with line(port) as another:
            status, headers, document = await another.answer()
            assert (status, headers["retry-after"], document["detail"]) == (503, "5", "too many connections")
            assert await another.over() == b""
        lines[0].writer.close()

        async def there_is_room() -> bool:
            async with line(port) as again:
                await again.send(get("/healthz"))
                return (await again.answer())[0] == 200

        await until(there_is_room, "one that is gone makes room")


async def test_a_proxy_that_is_trusted_stands_for_many_but_not_for_all() -> None:
    admission = Admission(8, 2, [ip_network("10.0.0.0/8")])
    assert [admission.enter("10.1.2.3") for _ in range(5)] == [""] * 5
    assert [admission.enter("192.0.2.1") for _ in range(3)] == ["192.0.2.1", "192.0.2.1", None]
    assert admission.enter("2001:db8::1") == "2001:db8::/64"
    assert admission.enter("10.1.2.3") is None, "all there are"
    for who in ("", "", "", "", "", "192.0.2.1", "192.0.2.1", "2001:db8::/64"):
        admission.leave(who)
    assert (admission.count, admission.refused, len(admission._each)) == (0, 2, 0)


@pytest.mark.parametrize(("trusted", "believed"), [(("127.0.0.0/8",), True), (("10.0.0.0/8",), False)])
async def test_only_a_trusted_proxy_is_believed_where_a_request_comes_from(
    trusted: tuple[str, ...], believed: bool
) -> None:
    app = an_app(trusted_proxies=trusted)

    @app.get("/from")
    async def whence(request: Request) -> list[str]:
        return [request.url.scheme, request.client.host if request.client is not None else ""]

    async with served(app) as port, line(port) as client:
        await client.send(get("/from", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"))
        _, headers, found = await client.answer()
    assert found == (["https", "192.0.2.7"] if believed else ["http", "127.0.0.1"])
    assert ("strict-transport-security" in headers) is believed


async def test_a_trusted_proxy_is_believed_also_where_ipv6_has_another_name_for_it() -> None:
    app = an_app(trusted_proxies=("127.0.0.0/8", "2001:db8::/32"), max_http_connections_each=5)

    @app.get("/from")
    async def whence(request: Request) -> list[str]:
        return [request.url.scheme, request.client.host if request.client is not None else ""]

    served_so: Any = ProxyHeadersMiddleware(app, [str(one) for one in app.state.limits.trusted])  # as uvicorn does
    transport = httpx.ASGITransport(served_so, client=("::ffff:127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get("/from", headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    assert answer.json() == ["https", "192.0.2.7"]
    admission = Admission.of(app.state.limits)
    assert [admission.enter(who) for who in ("::ffff:127.0.0.1", "2001:db8::1")] == ["", ""]
    assert admission.enter("::ffff:192.0.2.1") == "192.0.2.1"


async def test_a_websocket_leaves_its_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpserver, "UNKNOWN_S", 0.1)
    held: list[tuple[Admission, int]] = []
    enter = Admission.enter

    def entered(self: Admission, address: str) -> str | None:
        place = enter(self, address)
        held.append((self, self.count))
        return place

    monkeypatch.setattr(Admission, "enter", entered)
    async with served(an_app()) as port, connect(f"ws://127.0.0.1:{port}/ws", proxy=None):
        ((admission, count),) = held
        assert count == 1
        await until(lambda: not admission.count, "it is its user's now")


async def test_a_server_is_told_by_its_app_who_may_connect() -> None:
    limits = Limits(SystemClock(), MonitorSettings(max_http_connections=20, max_http_connections_each=7))
    admission = Admission.of(limits)
    assert (admission._most, admission._most_each) == (20, 7)

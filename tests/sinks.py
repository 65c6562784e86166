"""Receivers of notifications: a real HTTP server and a real SMTP server on free ports of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

HOST = "127.0.0.1"


class HttpSink:
    """Keeps what is posted to it; answers with the statuses of `answers`, then 200, and with `headers`.

    While `answering` is not set it keeps silent. `requests`: the path, the headers and the body of each, as they came.
    `unanswered`: from which ports those came that wait for an answer.
    """

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.answering = asyncio.Event()
        self.answering.set()
        self.unanswered: set[int] = set()
        self.port = 0

    @property
    def web(self) -> str:
        """Its address as a browser would have it."""
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"json://{HOST}:{self.port}/secret-path?rto=60&cto=60"  # apprise alone waits for 4 s

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        self.requests.append((first.split()[1], headers, body))
        self.received.append(json.loads(body))
        port = writer.get_extra_info("peername")[1]
        self.unanswered.add(port)
        await self.answering.wait()
        self.unanswered.discard(port)
        status = self.answers.pop(0) if self.answers else 200
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


class MailSink:
    """Keeps the mails it is given."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"mailto://{HOST}:{self.port}?from=floorwatch@floor.test&to=ops@floor.test&mode=insecure"

    def keep(self, data: bytes) -> None:
        """A mail as it came, without the line that ends it."""
        raw = data.replace(b"\r\n..", b"\r\n.")
        self.received.append(message_from_bytes(raw, policy=policy.default))  # type: ignore[arg-type]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while command := (await reader.readline()).strip().upper():
            if command.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                self.keep((await reader.readuntil(b"\r\n.\r\n"))[:-5])
            if command.startswith(b"QUIT"):
                writer.write(b"221 bye\r\n")
                break
            writer.write(b"250 ok\r\n")
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def listening(sink: HttpSink | MailSink) -> AsyncIterator[None]:
    """`sink` answers on its port, a free one the first time."""
    server = await asyncio.start_server(sink.handle, HOST, sink.port, limit=2**24)  # a mail with files
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()

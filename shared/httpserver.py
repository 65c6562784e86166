"""uvicorn's HTTP protocol, bounded for those who speak it slowly, endlessly, or a thousand times at once.

What is refused here reaches no route: a head that is too long or takes too long to come (a thousand connections that send a byte
now and then would otherwise cost a thousand connections for ever), a body that takes too long, an answer that is not read, and
more connections than one address may have. Each refusal is a problem document, like those of the routes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from shared.handshakes import ShakingHands
from shared.headers import CONTENT_SECURITY_POLICY, add_headers
from shared.limits import Limits, party
from shared.problems import problem_response
from shared.tlstransport import cut, safe
from shared.wsserver import DirectProtocol

URL_BYTES: Final = 8 << 10
HEAD_BYTES: Final = 32 << 10  # of all headers together; a token has 4 KiB at the most
HEADERS: Final = 100
HEAD_S: Final = 10.0  # for a connection's first request to be asked for, and for any head once it began
BODY_S: Final = 30.0  # within which AT_LEAST bytes of a body come, or all
UNREAD_S: Final = 30.0  # within which a reader takes AT_LEAST bytes of what waits for it, or all
AT_LEAST: Final = 64 << 10
WAITING: Final = 20  # requests of a connection that wait for the one before; one of 18 bytes costs 2 KiB meanwhile
LINGER_S: Final = 1.0  # for whoever was refused to read why: what they still send would reset the connection
UNKNOWN_S: Final = (
    5.0  # a WebSocket counts so long among its address's connections: then its user is known, or it is over
)
_SLICE: Final = 16 << 10

Phase = Literal["idle", "head", "body"]


class Admission:
    """How many connections there are, in all and of each address. Proxies that are trusted stand for many."""

    def __init__(
        self,
        most: int,
        most_each: int,
        trusted: Sequence[IPv4Network | IPv6Network] = (),
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._most, self._most_each, self._trusted = most, most_each, trusted
        self._on_refused = on_refused
        self._each: Counter[str] = Counter()
        self.shaking: dict[Any, ShakingHands] = {}  # by address and port: their TLS handshake is under way
        self.count = 0
        self.refused = 0

    @classmethod
    def of(cls, limits: Limits) -> Admission:
        each, refused = limits.http_connections_each, limits.metrics.connection_refused
        return cls(limits.http_connections, each, limits.trusted, refused)

    def enter(self, address: str) -> str | None:
        """One more of `address`: what to give to `leave`; None when there are too many."""
        who = "" if self._stands_for_many(address) else party(address)
        if self.count >= self._most or (who and self._each[who] >= self._most_each):
            self.refused += 1
            self._on_refused()
            return None
        self.count += 1
        self._each[who] += 1
        return who

    def shook_hands(self, address: Any) -> None:
        """The TLS handshake of `address` (and port) is over, if there was one; `enter` counts it from here on."""
        if (found := self.shaking.get(address)) is not None:
            found.done()

    def leave(self, who: str) -> None:
        """One less."""
        self.count -= 1
        self._each[who] -= 1
        if not self._each[who]:
            del self._each[who]

    def _stands_for_many(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._trusted if network.version == found.version)


class BoundedState(ServerState):
    """uvicorn's state of a server, with who may connect."""

    def __init__(self, admission: Admission) -> None:
        super().__init__()
        self.admission = admission
        self.ending = False  # then each answer is the last of its connection: who asks again is to be led elsewhere


class _TooLong(Exception):
    """More than a head may have."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _phase: Phase = "idle"
    _place: str | None = None  # among the connections that are counted
    _gone = False  # refused, or a WebSocket now
    _too_long: tuple[HTTPStatus, str] | None = None
    _head_bytes = 0  # that were read of the head so far
    _header_bytes = 0
    _body_bytes = 0  # since it was looked at last
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or say that there are too many."""
        super().connection_made(safe(transport))
        if isinstance(self.server_state, BoundedState):
            self.server_state.admission.shook_hands(transport.get_extra_info("peername"))
            self._place = self.server_state.admission.enter(self.client[0] if self.client else "")
            if self._place is None:
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections", at_once=True, retry_after=5)
                return
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_waiting()
        self._stop_looking()
        self._leave()
        self.pipeline.clear()
        super().connection_lost(exc)

    # ------------------------------------------------------------ what comes in

    def data_received(self, data: bytes) -> None:
        """Read it piece by piece, no further than a head may be long."""
        for begin in range(0, len(data), _SLICE):
            if self._gone or self.transport.is_closing():
                return
            piece = data[begin : begin + _SLICE]
            if self._phase == "idle" and self._deadline is None:
                self._wait(HEAD_S)  # before the parser finds a beginning: empty lines are none
            super().data_received(piece)
            if self._phase == "body":
                self._head_bytes = 0
            else:
                self._head_bytes += len(piece)
                if self._head_bytes > HEAD_BYTES + URL_BYTES + _SLICE and not self._gone:
                    self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head has no end")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if len(self.pipeline) >= WAITING:
            self._stop(HTTPStatus.TOO_MANY_REQUESTS, f"{WAITING} requests of this connection wait already")
        self._phase = "head"
        self._header_bytes = 0
        if self._deadline is None:  # behind another request
            self._wait(HEAD_S)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES:
            self._stop(HTTPStatus.REQUEST_URI_TOO_LONG, f"an address here has at most {URL_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more, of the head or behind a body."""
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEAD_BYTES or len(self.headers) > HEADERS:
            why = f"a request here has at most {HEADERS} headers of {HEAD_BYTES} bytes together"
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, why)

    def on_headers_complete(self) -> None:
        self._phase = "body"
        self._body_bytes = 0
        self._wait(BODY_S)
        super().on_headers_complete()
        if self.cycle is not None and isinstance(self.server_state, BoundedState) and self.server_state.ending:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase = "idle"
        self._head_bytes = 0
        self._stop_waiting()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is the WebSocket protocol's, which knows nothing of what is under way here and has other bounds."""
        answered = self.cycle is None or self.cycle.response_complete
        if self.pipeline or not answered or self.flow.write_paused:
            self._refuse(HTTPStatus.BAD_REQUEST, "a WebSocket begins when all before it is answered and read")
            return
        self._gone = True
        self._stop_waiting()
        self._stop_looking()
        place, self._place = self._place, None
        if place is not None and isinstance(self.server_state, BoundedState):
            self.loop.call_later(UNKNOWN_S, self.server_state.admission.leave, place)
        super().handle_websocket_upgrade()
        found = self.transport.get_protocol()
        if (
            isinstance(found, DirectProtocol) and not found.handshake_initiated
        ):  # it could not read it, and waits for ever
            self._refuse(HTTPStatus.BAD_REQUEST, "who asks for a WebSocket has lines of at most 8 KiB, and no body")

    # ------------------------------------------------------------ what goes out

    def pause_writing(self) -> None:
        """Whoever asked does not read what waits for them."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(UNREAD_S, self._look_at_reader, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_looking()

    def _look_at_reader(self, waited: int) -> None:
        waits = self.transport.get_write_buffer_size()
        if waits > waited - AT_LEAST:
            cut(self.transport)
        else:
            self._unread = self.loop.call_later(UNREAD_S, self._look_at_reader, waits)

    def _stop_looking(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._cut_later()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._cut_later()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._cut_later()

    def _cut_later(self) -> None:
        """What is closed waits until everything was read, which takes its time, or never happens; and for a goodbye by TLS."""
        self._stop_looking()
        self._unread = self.loop.call_later(LINGER_S, self._look_at_closed)

    def _look_at_closed(self) -> None:
        if waits := self.transport.get_write_buffer_size():
            self._unread = self.loop.call_later(UNREAD_S, self._look_at_reader, waits)
        else:
            cut(self.transport)

    # ------------------------------------------------------------ refusals

    def send_400_response(self, msg: str) -> None:
        """What uvicorn does when its parser, or one of the methods above, cannot go on."""
        status, why = self._too_long or (HTTPStatus.BAD_REQUEST, "this is no HTTP request")
        self._refuse(status, why)

    def _stop(self, status: HTTPStatus, why: str) -> None:
        self._too_long = (status, why)
        raise _TooLong

    def _refuse(self, status: HTTPStatus, why: str, *, at_once: bool = False, retry_after: int = 0) -> None:
        """Say why, read no more, and hang up. An answer that is under way ends in the middle; where several wait to be given,
        nobody could tell whose this one is, and none is."""
        self._gone = True
        self._stop_waiting()
        self._leave()
        under_way = bool(self.pipeline)  # then `cycle` is the last of those that wait
        if self.cycle is not None:
            under_way = under_way or (self.cycle.response_started and not self.cycle.response_complete)
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if under_way:
            self.transport.abort()
            return
        self.transport.write(_document(status, why, retry_after, self.scheme or "http"))
        if at_once:
            self.transport.close()
        else:
            self.loop.call_later(LINGER_S, self.transport.close)
        self.loop.call_later(2 * LINGER_S, cut, self.transport)

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None and isinstance(self.server_state, BoundedState):
            self.server_state.admission.leave(place)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._late, seconds)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self, seconds: float) -> None:
        self._deadline = None
        if self.flow.read_paused or self._body_bytes >= AT_LEAST:  # it is we who do not go on, or it comes, if slowly
            self._body_bytes = 0
            self._wait(seconds)
        elif self._phase == "idle":  # nothing was asked
            self._leave()
            self.transport.close()
            self._cut_later()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the {self._phase} did not come within {seconds:g} s")


def _document(status: HTTPStatus, why: str, retry_after: int, scheme: str) -> bytes:
    response = problem_response(status, why, headers={"retry-after": str(retry_after)} if retry_after else None)
    message: dict[str, Any] = {"status": status.value, "headers": list(response.raw_headers)}
    add_headers(message, {"path": "", "scheme": scheme}, CONTENT_SECURITY_POLICY)
    headers = [*message["headers"], (b"connection", b"close")]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + lines + b"\r\n" + bytes(response.body)

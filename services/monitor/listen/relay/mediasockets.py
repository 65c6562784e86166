"""Sound that comes over WebSocket: Twilio's Media Streams, and Asterisk's `WebSocket/` channels.

`/media/twilio` and `/media/asterisk`. Like AudioSocket they have no password of their own: the fork that a connection names
(`?fork=` or `?call=`, or Twilio's custom parameter `fork`) must be one that was ordered.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, WebSocket

from services.monitor.listen.relay.fork import Fork, Refused
from services.monitor.listen.relay.hub import Hub
from services.monitor.listen.relay.media import BadAudio, Encoding, Malformed, Pair, Stream
from services.monitor.listen.relay.wire import BUSY, UNKNOWN
from shared.auth import by
from shared.wsserver import EXTENSION, DirectProtocol

BAD: Final = 4400
NAMED_S: Final = 2.0  # within so long a connection says whose sound it brings
PER_S: Final = 400.0  # messages: two tracks of 50 a second, and room for a burst
_PING_S, _PONG_S = 5.0, 10.0
_FORMATS: Final[Mapping[str, tuple[Encoding, int]]] = {
    "slin": ("slin", 8000),
    "slin16": ("slin", 16000),
    "ulaw": ("ulaw", 8000),
    "alaw": ("alaw", 8000),
}
_TWILIO: Final[Mapping[str, Encoding]] = {"audio/x-mulaw": "ulaw", "audio/x-alaw": "alaw", "audio/l16": "slin"}
_MIC_UNSENT: Final = 4096


class SocketSource:
    """A fork's source that is a WebSocket. `speaks`: 16-bit PCM of 8 kHz can be sent to it as it is."""

    def __init__(self, socket: WebSocket) -> None:
        found = socket.scope.get("extensions", {}).get(EXTENSION)
        self._protocol = found if isinstance(found, DirectProtocol) else None
        self._closed = asyncio.Event()
        client = socket.client
        self.peer = f"{client.host}:{client.port}" if client is not None else ""
        self.can_speak = False

    def speak(self, pcm: bytes) -> bool:
        """Send 20 ms of a microphone."""
        protocol = self._protocol
        if not self.can_speak or protocol is None or self._closed.is_set() or protocol.transport.is_closing():
            return False
        if protocol.transport.get_write_buffer_size() > _MIC_UNSENT:
            return False
        protocol.transport.write(b"\x82\x7e" + len(pcm).to_bytes(2, "big") + pcm)
        return True

    def close(self) -> None:
        """Hang up."""
        if not self._closed.is_set():
            self._closed.set()
            if self._protocol is not None:
                self._protocol.close_now(1000, "over", 0.5)

    @property
    def closed(self) -> bool:
        return self._closed.is_set()


def router_for(hub: Hub) -> APIRouter:
    """The routes of switches, on this hub."""
    router = APIRouter(prefix="/media")

    @router.websocket("/twilio", dependencies=[Depends(by("fork"))])
    async def twilio(socket: WebSocket) -> None:
        await _serve(socket, hub, Twilio(hub, socket), None)

    @router.websocket("/asterisk", dependencies=[Depends(by("fork"))])
    async def asterisk(socket: WebSocket) -> None:
        wanted = socket.scope.get("subprotocols") or []
        await _serve(socket, hub, Asterisk(hub, socket), "media" if "media" in wanted else None)

    return router


class Incoming:
    """One connection of a switch: messages to sound. Subclasses read `text` and `data`."""

    def __init__(self, hub: Hub, socket: WebSocket) -> None:
        self.hub = hub
        self.source = SocketSource(socket)
        self.named = _fork_of(socket.query_params)
        self.fork: Fork | None = None

    async def text(self, text: str) -> bool:
        """A message of text; False when it was the last one. Raises Malformed, BadAudio, Refused."""
        raise NotImplementedError

    def data(self, payload: bytes) -> None:
        """A binary message. Raises Malformed, BadAudio."""
        raise NotImplementedError

    async def begin(self) -> Fork:
        """The fork that it named. Raises Refused."""
        self.fork = await self.hub.admit(self.named, self.source)
        return self.fork

    def pass_on(self, fork: Fork, frames: Sequence[bytes], channels: int, rate_hz: int) -> None:
        now = asyncio.get_running_loop().time()
        for pcm in frames:
            fork.sound(pcm, now, channels, rate_hz)


async def _serve(socket: WebSocket, hub: Hub, incoming: Incoming, subprotocol: str | None) -> None:
    protocol = socket.scope.get("extensions", {}).get(EXTENSION)
    if isinstance(protocol, DirectProtocol):
        protocol.ping_interval, protocol.ping_timeout = _PING_S, _PONG_S
        protocol.frames_per_s = PER_S
    await socket.accept(subprotocol=subprotocol)
    try:
        if not hub.opened():
            hub.refused(incoming.named, incoming.source.peer, "busy")
            await socket.close(BUSY, "too many connections")
            return
        await _read(socket, hub, incoming)
    finally:
        hub.closed()
        if incoming.fork is not None:
            incoming.fork.source_ended(incoming.source)


async def _read(socket: WebSocket, hub: Hub, incoming: Incoming) -> None:
    named_by = asyncio.get_running_loop().time() + NAMED_S  # whatever it says meanwhile: it takes the place of another
    try:
        while True:
            async with asyncio.timeout_at(named_by if incoming.fork is None else None):
                said = await socket.receive()
            if said["type"] != "websocket.receive" or incoming.source.closed:
                return
            payload, text = said.get("bytes"), said.get("text")
            if payload is not None:
                incoming.data(payload)
            elif not await incoming.text(text or ""):
                return
    except Refused as exc:
        await socket.close(UNKNOWN, f"no such fork: {exc}")
    except TimeoutError:
        hub.refused(incoming.named, incoming.source.peer, "unnamed")
        await socket.close(UNKNOWN, "no fork was named")
    except (Malformed, BadAudio) as exc:
        if incoming.fork is None:
            hub.refused(incoming.named, incoming.source.peer, "malformed")
        else:
            incoming.fork.bad(str(exc))
        await socket.close(BAD, str(exc)[:120])


class Asterisk(Incoming):
    """Asterisk dials out (`WebSocket/NAME/c(slin)v(fork=UUID)`): a text message MEDIA_START, then binary sound."""

    _stream: Stream | None = None

    async def text(self, text: str) -> bool:
        """MEDIA_START, as JSON or as a plain line; what else it says (MEDIA_XON, DTMF_END …) changes nothing."""
        event = _control(text)
        if event.get("event") != "MEDIA_START":
            return True
        if self.fork is not None:
            raise Malformed("a second MEDIA_START")
        variables = event.get("channel_variables")
        self.named = self.named or (_fork_of(variables) if isinstance(variables, dict) else "")
        encoding, rate_hz = _format(event)
        fork = await self.begin()
        self._stream = Stream(encoding, rate_hz, split=fork.order.audio == "split")
        self.source.can_speak = (encoding, rate_hz) == ("slin", 8000)
        return True

    def data(self, payload: bytes) -> None:
        """Some sound."""
        if self.fork is None or self._stream is None:
            raise Malformed("sound before MEDIA_START")
        now = asyncio.get_running_loop().time()
        frames = self._stream.take(payload, now)
        self.pass_on(self.fork, frames, self._stream.channels, self._stream.rate_hz)


class Twilio(Incoming):
    """Twilio's Media Streams: JSON; `inbound` is what the tapped party says, `outbound` what it hears."""

    def __init__(self, hub: Hub, socket: WebSocket) -> None:
        super().__init__(hub, socket)
        self._streams: dict[str, Stream] = {}
        self._pair = Pair()

    async def text(self, text: str) -> bool:
        """connected, start, media …, stop."""
        try:
            message = msgspec.json.decode(text, type=_TwilioMessage)
        except (msgspec.MsgspecError, RecursionError) as exc:
            raise Malformed(f"not a message of Media Streams: {exc}") from exc
        match message.event:
            case "start" if message.start is not None and self.fork is None:
                await self._begin(message.start)
            case "media" if message.media is not None:
                self._media(message.media)
            case "stop":
                return False
        return True

    def data(self, payload: bytes) -> None:
        """Not part of the protocol."""
        raise Malformed("a binary message")

    async def _begin(self, start: _Start) -> None:
        self.named = self.named or _fork_of(start.customParameters)
        encoding = _TWILIO.get(start.mediaFormat.encoding)
        if encoding is None:
            raise Malformed(f"sound of encoding {start.mediaFormat.encoding!r}: it must be audio/x-mulaw")
        rate_hz = start.mediaFormat.sampleRate
        self._streams = {track: Stream(encoding, rate_hz, split=False) for track in start.tracks}
        await self.begin()

    def _media(self, media: _Media) -> None:
        stream = self._streams.get(media.track)
        if self.fork is None or stream is None:
            raise Malformed(f"sound of track {media.track!r}, which start did not name")
        try:
            payload = base64.b64decode(media.payload, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise Malformed(f"sound that is no base64: {exc}") from exc
        frames = stream.take(payload, asyncio.get_running_loop().time())
        if len(self._streams) == 1:
            self.pass_on(self.fork, frames, 1, stream.rate_hz)
            return
        both = self._pair.take(0 if media.track == "inbound" else 1, frames)
        self.pass_on(self.fork, both, 2, stream.rate_hz)


class _Format(msgspec.Struct):
    encoding: str
    sampleRate: int = 8000  # noqa: N815  (as it is on the wire)


class _Start(msgspec.Struct):
    mediaFormat: _Format  # noqa: N815
    tracks: list[Literal["inbound", "outbound"]] = msgspec.field(default_factory=lambda: ["inbound"])
    customParameters: dict[str, Any] = {}  # noqa: N815


class _Media(msgspec.Struct):
    payload: str
    track: str = "inbound"


class _TwilioMessage(msgspec.Struct):
    event: str
    start: _Start | None = None
    media: _Media | None = None


def _control(text: str) -> dict[str, Any]:
    """`{"event": "MEDIA_START", "format": "slin"}`, or `MEDIA_START format:slin` as releases before JSON say it."""
    if text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError) as exc:
            raise Malformed(f"not a control message: {exc}") from exc
    event, *fields = text.split()[:50] or [""]
    named = (field.partition(":") for field in fields)
    return {"event": event} | {name: value for name, _, value in named}


def _format(event: dict[str, Any]) -> tuple[Encoding, int]:
    """What the sound is. Releases that do not say it say the size of a frame: 320 bytes are PCM; 160 are µ-law or A-law."""
    said = event.get("format")
    if said is None and str(event.get("optimal_frame_size")) == "320":
        return "slin", 8000
    found = _FORMATS.get(str(said))
    if found is None:
        raise Malformed(f"sound of format {said!r}: ask for slin, such as WebSocket/NAME/c(slin)")
    return found


def _fork_of(where: Mapping[str, Any]) -> str:
    """The fork that is named, as UUIDs are written; "" for none."""
    for name in ("fork", "call"):
        try:
            return str(UUID(str(where[name])))
        except (KeyError, ValueError):
            continue
    return ""

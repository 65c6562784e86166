"""For each reader of foreign bytes, what must hold whatever they are. A target raises what should not be raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.connectors.asterisk.ami import MAX_PACKET_BYTES, Splitter, headers_of
from services.monitor.listen.relay import mediasockets
from services.monitor.listen.relay.audiosocket import LONGEST, Parser
from services.monitor.listen.relay.media import RATES, BadAudio, Encoding, Malformed, Stream
from shared.codec import decode_event, decode_fact, encode
from shared.errors import InvalidInput
from shared.raw import Raw
from shared.siteconfig import QueueConfig, SiteConfig

Target = Callable[[bytes], None]

CUT: Final = b"\n----\n"  # between one record of an adapter and the next
RECEIVED: Final = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_SITE: Final = SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6.0)})
_ENCODINGS: Final[tuple[Encoding, ...]] = ("slin", "ulaw", "alaw")


def codec(data: bytes) -> None:
    """An event or a fact is read or refused by name; what is read can be written, and read as the same."""
    for decode in (decode_event, decode_fact):
        try:
            found = decode(data)
        except InvalidInput as exc:
            _tells(exc.reason in ("not_json", "invalid_event", "time_out_of_range"))
            continue
        assert decode(encode(found)) == found


def _adapter(vendor: str) -> Target:
    def target(data: bytes) -> None:
        """A record is translated, or refused by name and changes nothing; the state goes into a checkpoint and back."""
        adapter, other = ADAPTERS[vendor]("hq", _SITE), ADAPTERS[vendor]("hq", _SITE)
        for offset, value in enumerate(data.split(CUT)[:32]):
            raw = Raw(
                value=value, vendor=vendor, site="hq", connector="c", received=RECEIVED, partition=0, offset=offset
            )
            before = adapter.dump()
            try:
                events = adapter.feed(raw)
            except InvalidInput as exc:
                _tells(exc.reason)
                _same(adapter.dump(), before)
                continue
            assert [one.rawindex for one in events] == list(range(len(events)))
            for one in events:
                assert decode_event(encode(one)) == one, "an event that no reader understands"
        other.load(adapter.dump())
        assert other.dump() == adapter.dump()

    return target


def ami(data: bytes) -> None:
    """Packets do not depend on how the stream was cut, no byte is lost, and what has no end is bounded."""
    size = 1 + (data[0] if data else 0)
    stream = data[1:]
    whole, cut = Splitter(), Splitter()
    found = whole.feed(stream)
    parts = [packet for piece in _pieces(stream, size) for packet in cut.feed(piece)]
    if not (whole.broken or cut.broken):
        assert parts == found
        assert cut.rest == whole.rest
        assert b"".join(found) + whole.rest == stream
    for packet in found:
        assert len(packet) <= MAX_PACKET_BYTES
        assert all("\n" not in name and ":" not in name for name in headers_of(packet))


def audiosocket(data: bytes) -> None:
    """Frames do not depend on how the stream was cut, and none is longer than is allowed."""
    size = 1 + (data[0] if data else 0)
    stream = data[1:]
    found = _frames([stream])
    assert _frames(_pieces(stream, size))[: len(found)] == found
    assert all(len(payload) <= LONGEST for _, payload in found)


def _frames(pieces: Iterator[bytes] | list[bytes]) -> list[tuple[int, bytes]]:
    parser, found = Parser(), []
    try:
        for piece in pieces:
            found += parser.feed(piece)
    except Malformed as exc:
        _tells(str(exc))
    return found


def media(data: bytes) -> None:
    """Sound of any size, label and pace comes out as whole frames of 20 ms, or is refused with what to change."""
    head, sound = data[:3].ljust(3, b"\0"), data[3:]
    rate = RATES[head[1] % len(RATES)]
    stream = Stream(_ENCODINGS[head[0] % 3], rate, split=bool(head[0] & 4))
    now = 0.0
    try:
        for piece in _pieces(sound, 1 + head[2] * 3):
            now += 0.02
            for frame in stream.take(piece, now):
                assert len(frame) == stream.channels * rate // 50 * 2
    except BadAudio as exc:
        _tells(str(exc))


def _tells(why: object) -> None:
    assert why, "refused without a reason"


def _same(now: bytes, before: bytes) -> None:
    assert now == before, "a record that was refused changed the state"


def control(data: bytes) -> None:
    """What a switch says of its sound is understood, or refused with a reason."""
    text = data.decode("utf-8", "replace")
    try:
        event = mediasockets._control(text)
        fork = mediasockets._fork_of(event)
        assert not fork or str(UUID(fork)) == fork
        _, rate = mediasockets._format(event)
        assert rate in RATES
    except Malformed as exc:
        _tells(str(exc))


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


TARGETS: Final[dict[str, Target]] = {
    "codec": codec,
    **{vendor: _adapter(vendor) for vendor in ADAPTERS},
    "ami": ami,
    "audiosocket": audiosocket,
    "media": media,
    "control": control,
}

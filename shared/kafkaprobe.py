"""What takes connections at a broker's address and is of no use, asked without the client, which only says that it gave up.

Two questions of Kafka's protocol (https://kafka.apache.org/protocol), each in the first version, which brokers still answer.
"""

from __future__ import annotations

import asyncio
import os
import struct
from typing import Final

_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, a number that comes back, no name of ours
_METADATA: Final = struct.pack(">hhihi", 3, 0, 1, -1, 0)
_NO_KAFKA: Final = "what answers there is no Kafka: see KAFKA_BOOTSTRAP"
_LONGEST: Final = 16 << 20  # what claims to be a longer answer is none of Kafka's
_TLS: Final = (b"\x15\x03", b"\x16\x03")  # how an alert and a handshake begin
_MOST: Final = 3  # brokers that are tried
_WAY_S: Final = 0.25  # to each of them
_ANSWER_S: Final = 1.0


def addresses_of(bootstrap: str) -> list[tuple[str, int]]:
    """Host and port of each: "host:port", several parted by commas."""
    parts = [address.strip().rpartition(":") for address in bootstrap.split(",")]
    return [(host, int(port)) for host, _, port in parts]


async def why_of_no_use(bootstrap: str) -> str | None:
    """Why nothing can be read or written at any of these addresses in the clear; None where nothing speaks against it."""
    why = None
    for host, port in addresses_of(bootstrap):
        try:
            async with asyncio.timeout(_ANSWER_S):
                why = await _why_not(host, port)
        except TimeoutError:
            why = "no answer in time"
        except OSError:
            return None
        if why is None:
            return None
    return why


async def _why_not(host: str, port: int) -> str | None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        if why := await _what_it_is(reader, writer):
            return why
        writer.write(_framed(_METADATA))
        try:
            answer = await _answer(reader)
        except ValueError:
            return _NO_KAFKA
        except (asyncio.IncompleteReadError, ConnectionError):
            return "it hangs up on who does not sign in: see KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM"
        return await _why_not_there(brokers_in(answer))
    finally:
        writer.close()


async def _what_it_is(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
    writer.write(_framed(_VERSIONS))
    try:
        begun = await reader.readexactly(2)
        if begun in _TLS:
            return "it wants TLS: see KAFKA_SECURITY_PROTOCOL"
        await _answer(reader, begun)
    except (asyncio.IncompleteReadError, ConnectionError) as exc:
        if not getattr(exc, "partial", b""):
            return "it hangs up: is it Kafka, and does it want TLS? See KAFKA_BOOTSTRAP and KAFKA_SECURITY_PROTOCOL"
        return _NO_KAFKA
    except ValueError:
        return _NO_KAFKA
    return None


def _framed(question: bytes) -> bytes:
    return struct.pack(">i", len(question)) + question


async def _answer(reader: asyncio.StreamReader, begun: bytes = b"") -> bytes:
    """Raises ValueError for what is no answer, IncompleteReadError when it ends too soon."""
    size, number = struct.unpack(">ii", begun + await reader.readexactly(8 - len(begun)))
    if number != 1 or not 4 <= size <= _LONGEST:
        raise ValueError(size)
    return await reader.readexactly(size - 4)


async def _why_not_there(brokers: list[tuple[str, int]]) -> str | None:
    """Why no broker can be reached by the name that brokers give themselves, which is where clients go."""
    why = None
    for host, port in brokers[:_MOST]:
        try:
            async with asyncio.timeout(_WAY_S):
                _, writer = await asyncio.open_connection(host, port)
        except OSError as exc:  # of which TimeoutError is one
            said = os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else str(exc) or "no answer"
            why = f"it sends clients on to {host}:{port}, and there: {said}. See the broker's advertised.listeners"
        else:
            writer.close()
            return None
    return why


def brokers_in(metadata: bytes) -> list[tuple[str, int]]:
    """Host and port of each broker that the body of an answer to the second question names; none where it cannot be read."""
    try:
        (count,) = struct.unpack_from(">i", metadata)
        at, found = 4, []
        for _ in range(count):
            (length,) = struct.unpack_from(">4xh", metadata, at)
            host, port = struct.unpack_from(f">{length}si", metadata, at + 6)
            found.append((host.decode(), port))
            at += 10 + length
    except (struct.error, UnicodeDecodeError):
        return []
    return found

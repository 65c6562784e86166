"""AMI on the wire: bytes to packets and back. No socket, no clock.

A packet is lines `Name: value` and an empty line. The switch greets with one line, which no empty line follows.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

Headers = dict[str, str]

GREETING: Final = b"Asterisk Call Manager/"
MAX_GREETING_BYTES: Final = 200
# Real packets have some 2 kB at most, those of a UserEvent perhaps ten times that. What has no end after this is no AMI.
MAX_PACKET_BYTES: Final = 256 << 10

_END: Final = re.compile(rb"\n\r?\n")
_TEXT: Final = re.compile(rb"[^\r\n]")


class Splitter:
    """Cuts a stream into packets. Their bytes, empty lines included, joined are the stream's, whatever its chunks were.

    `broken` says what is wrong once the stream is no AMI; nothing more comes out then.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # where the packet at the beginning of the buffer has no end before
        self._begun = False  # it has text; empty lines more than there should be belong to what follows
        self._greeted = False
        self.broken = ""

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completed, the greeting first."""
        if self.broken:
            return []
        self._buffer += data
        found: list[bytes] = []
        if not self._greeted:
            self._greet(found)
        while self._greeted and (end := self._end()):
            if end > MAX_PACKET_BYTES:
                break
            found.append(bytes(self._buffer[:end]))
            del self._buffer[:end]
            self._scanned, self._begun = 0, False
        if len(self._buffer) > MAX_PACKET_BYTES:
            self.broken = f"a packet of more than {MAX_PACKET_BYTES} bytes"
        return found

    @property
    def rest(self) -> bytes:
        """What came of a packet that is not complete."""
        return bytes(self._buffer)

    def _end(self) -> int:
        """Where the first packet of the buffer ends; 0 as long as it does not."""
        if not self._begun:
            text = _TEXT.search(self._buffer, self._scanned)
            self._begun = text is not None
            self._scanned = len(self._buffer) if text is None else text.start()
        found = _END.search(self._buffer, self._scanned) if self._begun else None
        if found is None:
            self._scanned = max(self._scanned, len(self._buffer) - 2)
            return 0
        return found.end()

    def _greet(self, found: list[bytes]) -> None:
        line, end, _ = bytes(self._buffer[: MAX_GREETING_BYTES + 1]).partition(b"\n")
        if end and line.startswith(GREETING):
            found.append(line + end)
            del self._buffer[: len(line) + 1]
            self._greeted = True
        elif end or len(line) > MAX_GREETING_BYTES or not GREETING.startswith(line[: len(GREETING)]):
            self.broken = f"it greets with {line[:60]!r}"


def headers_of(packet: bytes) -> Headers:
    """The headers of a packet; of a repeated one the last value. Lines that are no headers are passed over."""
    found: Headers = {}
    for line in packet.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.rstrip("\r").partition(":")
        if colon:
            found[name] = value.strip(" ")
    return found


def action(name: str, action_id: str, headers: Headers) -> bytes:
    """The bytes that ask the switch for action `name`. Raises ValueError for a value that would begin another header."""
    lines = [f"Action: {name}", f"ActionID: {action_id}", *(f"{key}: {value}" for key, value in headers.items())]
    for line in lines:
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in line):
            raise ValueError(f"a control character in {line.partition(':')[0]}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def answer_to(challenge: str, password: str) -> str:
    """What proves that the password is known without saying it: the digest that the switch makes of both."""
    return hashlib.md5((challenge + password).encode(), usedforsecurity=False).hexdigest()

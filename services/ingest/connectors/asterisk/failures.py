"""Why there is no link to the switch, in words that pages have in both languages: `what: where`.

What stands before the colon is one of WHAT; `shared/web/reasons.js` knows each as `link_reason.<it with underscores>`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Final, Literal

from shared.errors import FloorwatchError

What = Literal[
    "wrong user or password",
    "unknown host",
    "host unreachable",
    "connection refused",
    "certificate refused",
    "no manager port",
    "no answer",
    "connection lost",
    "switch shut down",
    "too many events",
    "connector stopped",
]

# What an administrator looks at next; for the log, where there is room.
ADVICE: Final[dict[What, str]] = {
    "wrong user or password": "see user, secret, permit and deny in the switch's manager.conf, and the password given here",
    "unknown host": "no address is known for this name",
    "host unreachable": "no answer from there: address, routing or a firewall that drops",
    "connection refused": "nothing listens there: enabled, port and bindaddr in manager.conf, or a firewall that rejects",
    "certificate refused": "see tls_ca_file and the name in the switch's certificate",
    "no manager port": "something else answers there, or it wants TLS",
    "no answer": "the connection is open and nothing comes: the switch hangs, or a network on the way has forgotten it",
    "connection lost": "the switch or the network closed it",
    "switch shut down": "it said so",
    "too many events": "the switch says more than the broker takes; nothing is lost, it is late",
    "connector stopped": "",
}

_UNREACHABLE: Final = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN}
)


class LinkFailed(FloorwatchError):
    """There is no link. `what` is the kind of failure, `where` the switch's address, `detail` for the log."""

    def __init__(self, what: What, where: str, detail: str = "") -> None:
        super().__init__(f"{what}: {where}" + (f" ({detail})" if detail else ""))
        self.what: What = what
        self.where = where
        self.detail = detail

    @property
    def reason(self) -> str:
        """For the board."""
        return f"{self.what}: {self.where}"


def of_connecting(exc: Exception, where: str) -> LinkFailed:
    """What an error of opening a connection means."""
    detail = str(exc)
    if isinstance(exc, ssl.SSLCertVerificationError):
        return LinkFailed("certificate refused", where, exc.verify_message or detail)
    if isinstance(exc, ssl.SSLError):
        return LinkFailed("no manager port", where, detail)
    if isinstance(exc, socket.gaierror):
        return LinkFailed("unknown host", where, exc.strerror or detail)
    if isinstance(exc, TimeoutError):
        return LinkFailed("host unreachable", where, detail or "no answer in time")
    if isinstance(exc, ConnectionRefusedError):
        return LinkFailed("connection refused", where)
    if isinstance(exc, ConnectionError | asyncio.IncompleteReadError):
        return LinkFailed("connection lost", where, detail)
    if isinstance(exc, OSError) and exc.errno in _UNREACHABLE:
        return LinkFailed("host unreachable", where, os.strerror(exc.errno))
    return LinkFailed("host unreachable", where, f"{type(exc).__name__}: {detail}")

"""Listening sockets, with errors that say which setting to change."""

from __future__ import annotations

import errno
import socket

from shared.errors import SettingsError


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """A listening socket. Raises SettingsError naming the port and `setting`, the variable that changes it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named, asyncio switches Nagle's algorithm off for each connection; else what follows an answer or a frame
    # that is not yet acknowledged waits for some 40 ms
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as exc:
        sock.close()
        if exc.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} is taken; set {setting} to another one") from None
        if exc.errno == errno.EACCES:
            raise SettingsError(f"port {port} needs more rights than this user has; set {setting} above 1023") from None
        raise SettingsError(f"cannot listen on {host} port {port} ({setting}): {exc.strerror or exc}") from None
    return sock

"""Sockets: listening ones, with errors that say which setting to change, and connections that are long silent."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
from typing import Final

from shared.errors import SettingsError

MANY_FILES: Final = 65_536


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


def allow_many_files() -> None:
    """Let this process have as many connections as the system lets it: what it begins with is mostly 1024, for programs of old
    that look at their files one by one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # then with those that there are
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_alive(sock: socket.socket | None, *, idle_s: int, every_s: int) -> None:
    """Have the system look every `every_s` whether the other side is there once nothing came for `idle_s`; after three unanswered
    looks the connection is over. None: there is no socket to look at."""
    if sock is None:
        return
    with contextlib.suppress(OSError):  # the other side is gone already, which reading tells
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", idle_s), ("TCP_KEEPINTVL", every_s), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):  # not every system lets this be said
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

"""Answers of megabytes: how many of them each user may have at a time, and no longer than they are read.

The whole floor of ten thousand agents is ten megabytes. A server that hands such an answer over at once keeps it until the client
has read it, so that one who asks a thousand times and reads nothing would cost all the memory there is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

from shared.auth import LOCAL, Principal
from shared.problems import Problem

log = structlog.get_logger()

PIECE_BYTES: Final = 1 << 18  # what is handed to the server at a time
PATIENCE_S: Final = 30.0  # how long a client may take for a piece
_RETRY_S: Final = 2


class Shares:
    """`most` answers for each user at a time; `most_local`: for all together where nobody signs in."""

    def __init__(self, what: str, most: int, most_local: int) -> None:
        self._what = what
        self._most = most
        self._most_local = most_local
        self._taken: Counter[str] = Counter()

    async def answer(self, who: Principal, body: Callable[[], Awaitable[bytes]]) -> Response:
        """`body` as JSON. Raises Problem 429 where the user has as many on their way as one may; what `body` raises."""
        most = self._most_local if who is LOCAL else self._most
        if self._taken[who.user] >= most:
            problem = Problem(429, f"{who.user} has {most} {self._what} on their way already", reason="too_many")
            problem.headers = {"retry-after": str(_RETRY_S)}
            raise problem
        self._taken[who.user] += 1
        try:
            return PiecewiseResponse(await body(), lambda: self._release(who.user))
        except BaseException:
            self._release(who.user)
            raise

    def _release(self, user: str) -> None:
        self._taken[user] -= 1
        if not self._taken[user]:
            del self._taken[user]


class PiecewiseResponse(Response):
    """JSON that is handed over as it is read, and given up when it is not; `on_end` is told of either."""

    media_type = "application/json"

    def __init__(self, content: bytes, on_end: Callable[[], None]) -> None:
        super().__init__(content)
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = memoryview(self.body)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for begin in range(0, max(len(body), 1), PIECE_BYTES):
                piece, more = bytes(body[begin : begin + PIECE_BYTES]), begin + PIECE_BYTES < len(body)
                async with asyncio.timeout(PATIENCE_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": more})
        except TimeoutError:  # the server closes a connection whose answer is not complete
            log.warning("an answer was not read and was given up", path=scope["path"], bytes=len(body))
        finally:
            self._on_end()

"""Apps served as services serve them, in the test's own loop: real sockets, TLS with an authority of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import trustme
from pydantic import SecretStr

from shared.service import Background, ServiceFailed, serve
from shared.settings import MonitorSettings
from shared.tls import ServerTls
from tests.waiting import PATIENCE_S


@asynccontextmanager
async def served(app: Any, *, tls: ServerTls | None = None) -> AsyncIterator[int]:
    """`app` on a free port of 127.0.0.1."""
    over, started = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def until_over() -> None:
        await over.wait()

    async with Background() as background:
        background.start("the test", until_over())
        serving = asyncio.create_task(
            serve(app, "127.0.0.1", 0, background=background, tls=tls, shutdown_s=1.0, on_started=started.set_result)
        )
        try:
            await asyncio.wait([started, serving], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            yield started.result()
        finally:
            over.set()
            with contextlib.suppress(ServiceFailed):  # how a server is ended from within
                await serving


class Pair(NamedTuple):
    """Files of a certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """One that signs certificates, and its own certificate as a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def sign(self, *names: str, file: str = "server") -> Pair:
        """A certificate for `names` (none: 127.0.0.1), written over what was there by this name."""
        made = self._ca.issue_cert(*(names or ("127.0.0.1", "localhost")))
        pair = Pair(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        pair.key.write_bytes(made.private_key_pem.bytes())
        return pair

    def trusting(self) -> ssl.SSLContext:
        """For a client that trusts this one and nobody else."""
        return ssl.create_default_context(cafile=str(self.file))


def tls_of(pair: Pair, password: str = "") -> ServerTls:
    """As a service has it whose settings name these files."""
    settings = MonitorSettings(tls_cert_file=pair.cert, tls_key_file=pair.key, tls_key_password=SecretStr(password))
    found = ServerTls.of(settings)
    assert found is not None
    return found

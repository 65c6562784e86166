"""TLS to a real PostgreSQL: who it is and who says so are checked, and what is said is encrypted."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shared.db import Database
from shared.errors import StoreError
from tests.databases import POSTGRES
from tests.servingkit import Authority, Pair
from tests.waiting import until

FILES = ("floorwatch-test.pem", "floorwatch-test.key")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: set TEST_POSTGRES_URL"),
    pytest.mark.asyncio(loop_scope="module"),
]


def give(pair: Pair, folder: Path) -> None:
    """Put a certificate and its key where the server finds them, for its user alone."""
    owner = folder.stat()
    for source, name in zip(pair, FILES, strict=True):
        there = folder / name
        there.write_bytes(source.read_bytes())
        os.chown(there, owner.st_uid, owner.st_gid)
        there.chmod(0o600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def authority(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Authority]:
    """Has the server speak TLS as 127.0.0.1 until the end of the module."""
    made = Authority(tmp_path_factory.mktemp("ca"))
    pair = made.sign("127.0.0.1")
    database = Database(POSTGRES)
    async with database.engine.connect() as connection:
        auto = await connection.execution_options(isolation_level="AUTOCOMMIT")
        folder = Path((await auto.execute(text("SHOW data_directory"))).scalar_one())
        give(pair, folder)
        await auto.execute(text(f"ALTER SYSTEM SET ssl_cert_file = '{FILES[0]}'"))
        await auto.execute(text(f"ALTER SYSTEM SET ssl_key_file = '{FILES[1]}'"))
        await auto.execute(text("ALTER SYSTEM SET ssl = on"))
        await auto.execute(text("SELECT pg_reload_conf()"))

        async def speaks() -> bool:
            return (await auto.execute(text("SHOW ssl"))).scalar_one() == "on"

        await until(speaks, "the server has taken its certificate over")
        yield made
        for name in ("ssl", "ssl_cert_file", "ssl_key_file"):
            await auto.execute(text(f"ALTER SYSTEM RESET {name}"))
        await auto.execute(text("SELECT pg_reload_conf()"))
    await database.close()


async def version_by(host: str, query: str) -> str | None:
    """What a connection to `host` is encrypted by; None: not at all. Raises StoreError."""
    url = make_url(POSTGRES).set(host=host).render_as_string(hide_password=False)
    database = Database(f"{url}?{query}")
    try:
        async with database.reading() as session:
            found = await session.execute(text("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            version: str | None = found.scalar_one()
            return version
    finally:
        await database.close()


async def test_the_servers_name_and_signature_are_checked_and_it_is_encrypted(authority: Authority) -> None:
    ours = f"sslrootcert={authority.file}"
    assert (await version_by("127.0.0.1", f"sslmode=verify-full&{ours}") or "").startswith("TLSv1.")
    assert await version_by("127.0.0.1", "sslmode=require") is not None
    assert await version_by("127.0.0.1", "sslmode=disable") is None


async def test_a_server_of_another_name_is_refused_unless_names_do_not_matter(authority: Authority) -> None:
    ours = f"sslrootcert={authority.file}"
    with pytest.raises(StoreError, match="its certificate is not trusted: Hostname mismatch") as refused:
        await version_by("localhost", f"sslmode=verify-full&{ours}")
    assert make_url(POSTGRES).password not in str(refused.value)
    assert await version_by("localhost", f"sslmode=verify-ca&{ours}") is not None


async def test_a_server_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    for mode in ("require", "verify-ca", "verify-full"):
        with pytest.raises(StoreError, match="its certificate is not trusted"):
            await version_by("127.0.0.1", f"sslmode={mode}&sslrootcert={stranger.file}")
    with pytest.raises(StoreError, match="its certificate is not trusted"):
        await version_by("127.0.0.1", "sslmode=verify-full")  # by the system's authorities

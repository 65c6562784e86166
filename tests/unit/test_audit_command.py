"""`floorwatch audit`: an untouched audit holds, and one that was touched behind the database's back does not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from floorwatch.cli import app
from services.monitor.desk.store import MIGRATIONS
from services.monitor.listen.model import Entry
from services.monitor.listen.trail import Trail
from shared.db import Database, shown
from shared.errors import SettingsError, StoreError
from tests.databases import BOTH, migrated_url, spelled
from tests.floorkit import SITE, START
from tests.unit.test_inspectors import listen

runner = CliRunner()


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with an audit of four rows."""

    async def fill(found: str) -> None:
        database = Database(found)
        async with database.unit_of_work() as session:
            rows = [("asked", "li"), ("started", "li"), ("ended", ""), ("refused", "=eve")]
            await Trail(session).add(
                [Entry(at=START, site=SITE, kind=kind, by=by, agent_name="张敏") for kind, by in rows]
            )
        await database.close()

    with migrated_url(request.param, tmp_path, MIGRATIONS) as found:
        asyncio.run(fill(found))
        yield found


def tamper(url: str, *statements: str) -> None:
    """What somebody can do who may do everything."""

    async def run() -> None:
        database = Database(url)
        async with database.unit_of_work() as session:
            if database.url.get_backend_name() == "sqlite":
                for verb in ("UPDATE", "DELETE"):
                    await session.execute(text(f"DROP TRIGGER listen_audit_stays_{verb}"))
            else:
                await session.execute(text("DROP TRIGGER listen_audit_stays ON listen_audit"))
            for statement in statements:
                await session.execute(text(statement))
        await database.close()

    asyncio.run(run())


def verify(url: str, *more: str) -> tuple[int, str]:
    found = runner.invoke(app, ["audit", "verify", "--db", url, *more])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_an_untouched_audit_holds_and_says_its_end(url: str) -> None:
    code, said = verify(url)
    assert code == 0
    named = make_url(url)
    shown_as = shown(named.set(drivername=named.get_backend_name()))
    assert f"4 rows in {shown_as} holds" in said, "which database was looked at"
    noted = re.search(r"--expect (4:[0-9a-f]{64})", said)
    assert noted
    assert verify(url, "--expect", noted[1])[0] == 0


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE listen_audit SET \"by\" = 'wang' WHERE id = 2", "row 2 was changed"),
        ("UPDATE listen_audit SET at = '2026-11-22 09:00:00.000001' WHERE id = 3", "row 3 was changed"),
        ("DELETE FROM listen_audit WHERE id = 2", "row 2 is missing before row 3"),
        ("UPDATE listen_audit SET id = 9 WHERE id = 1", "row 1 is missing before row 2"),
    ],
)
def test_what_was_touched_is_said_in_words(url: str, statement: str, says: str) -> None:
    tamper(url, statement)
    code, said = verify(url)
    assert (code, says in said, "does not hold" in said) == (1, True, True)


def test_a_missing_end_is_seen_by_what_was_noted(url: str) -> None:
    noted = re.search(r"--expect (4:[0-9a-f]{64})", verify(url)[1])
    assert noted
    tamper(url, "DELETE FROM listen_audit WHERE id = 4")
    assert verify(url)[0] == 0
    code, said = verify(url, "--expect", noted[1])
    assert (code, "rows were removed at the end" in said) == (1, True)


def test_a_file_elsewhere_remembers_the_end(url: str, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere" / "end"
    with pytest.raises(SettingsError, match="elsewhere"):
        verify(url, "--remember", str(kept))
    kept.parent.mkdir()
    for _ in range(2):
        code, said = verify(url, "--remember", str(kept))
        assert (code, str(kept) in said.replace("\n", "")) == (0, True)
    noted = kept.read_text("ascii")
    assert noted.startswith("4:")
    tamper(url, "DELETE FROM listen_audit")
    assert verify(url)[0] == 0, "nothing in this database tells"
    code, said = verify(url, "--remember", str(kept))
    assert (code, "rows were removed at the end" in said, kept.read_text("ascii")) == (1, True, noted)
    kept.write_text("nonsense", "ascii")
    with pytest.raises(SettingsError, match="nonsense"):
        verify(url, "--remember", str(kept))


def test_an_audit_that_lacks_a_listen_does_not_pass(url: str) -> None:
    async def add() -> None:
        database = Database(url)
        async with database.unit_of_work() as session:
            session.add(listen("l1"))
        await database.close()

    asyncio.run(add())
    tamper(url, "DELETE FROM listen_audit")
    code, said = verify(url)
    assert (code, "listen l1 of li" in said, "not all that there was" in said) == (1, True, True)


def test_a_wrong_note_or_database_is_said(url: str) -> None:
    with pytest.raises(SettingsError, match="--expect"):
        verify(url, "--expect", "4")
    other = make_url(url).set(database=f"{make_url(url).database}_other")
    with pytest.raises(StoreError, match=r"no such database|does not exist"):
        verify(spelled(other))
    tamper(url, "DROP TABLE listen_audit")
    with pytest.raises(StoreError, match="listen_audit"):
        verify(url)


def test_it_is_exported_as_json_and_for_spreadsheets(url: str, tmp_path: Path) -> None:
    out = tmp_path / "rows"
    assert runner.invoke(app, ["audit", "export", "--db", url, "--out", str(out)]).exit_code == 0
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [(row["id"], row["kind"], row["agent_name"]) for row in rows][:2] == [
        (1, "asked", "张敏"),
        (2, "started", "张敏"),
    ]
    assert rows[1]["prev_hash"] == rows[0]["hash"]
    found = runner.invoke(app, ["audit", "export", "--db", url, "--out", str(out), "--format", "csv", "--site", SITE])
    assert found.exit_code == 0
    lines = out.read_text("utf-8").splitlines()
    assert lines[0].startswith("id,at,kind,site,by,")
    assert len(lines) == 5
    assert ",'=eve," in lines[4], "no spreadsheet takes it for a formula"

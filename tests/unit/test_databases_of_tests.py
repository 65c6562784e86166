"""What asks a database of ours is tried on each database there is: a test that names SQLite's file says here why."""

from __future__ import annotations

import re

from shared.settings import ROOT

FOLDERS = (
    "unit",
    "property",
    "contract",
)  # the others start whole services, and have suites on PostgreSQL of their own
URL = re.compile(r"\"sqlite(\+aiosqlite)?:///")
ON_SQLITE_ALONE = {
    "contract/test_alerts_process.py": "a process; what it asks is tried within this one",
    "contract/test_desk_process.py": "a process; what it asks is tried within this one",
    "contract/test_openapi.py": "documents: nothing is asked",
    "contract/test_permissions.py": "who is refused: before anything is asked",
    "contract/test_secrets_stay_secret.py": "what processes log",
    "unit/test_alert_docs_whole.py": "documents: nothing is asked",
    "unit/test_alerts_pipeline.py": "one test: another process holds the lock of the whole file",
    "unit/test_databases_named_by_files.py": "settings: nothing is asked",
    "unit/test_db.py": "some tests: what SQLite alone does with its file and its lock",
    "unit/test_db_outages.py": "some tests: a file that is damaged or may not be written",
    "unit/test_desk_recorder.py": "one test: a folder that cannot be made, and the lock of the whole file",
    "unit/test_recorder.py": "one test: another process holds the lock of the whole file",
}


def test_who_tries_a_database_on_sqlite_alone_says_why() -> None:
    folder = ROOT / "tests"
    modules = (path for name in FOLDERS for path in (folder / name).glob("test_*.py"))
    found = {path.relative_to(folder).as_posix() for path in modules if URL.search(path.read_text(encoding="utf-8"))}
    assert "unit/test_db.py" in found
    assert found - ON_SQLITE_ALONE.keys() == set(), "take alerts_db, monitor_db, or tests/databases.py"
    assert ON_SQLITE_ALONE.keys() - found == set(), "reasons for what is no more"

"""Runs a command with a real, empty PostgreSQL of its own on a free port of 127.0.0.1, and deletes it afterwards.

It uses the programs of the system's package: on Debian and Ubuntu, `apt-get install postgresql`. The server that this package
may have started itself is not touched. `python -m tools.real_postgres --help` lists what it does.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tools.servers import HOST, Failed, Server, Unavailable, free_port, main, parser, run_with

ACTIONS: Final = {
    "check": "say whether this machine can run it",
    "run": "start one, run COMMAND with its URL in TEST_POSTGRES_URL, stop it, delete it",
}
USER: Final = "floorwatch"
UNPRIVILEGED: Final = ("postgres", "nobody")  # PostgreSQL refuses to run as root


class Postgres(Server):
    """One server; `settings` are of its configuration."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": without waiting for clients, who are gone or hang

    def __init__(self, folder: Path, programs: Path, port: int, **settings: str) -> None:
        super().__init__(folder, port)
        self._programs = programs
        self._settings = settings
        self._data = self.folder / "data"
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self._password}@{self.address}/postgres"

    def run_as(self) -> dict[str, Any]:
        user = unprivileged()
        return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def prepare(self) -> None:
        if self._data.exists():
            return
        user = unprivileged()
        password_file = self.folder / "password"
        password_file.write_text(self._password)
        if user is not None:
            for path in (self.folder, password_file):
                os.chown(path, user.pw_uid, user.pw_gid)
        done = subprocess.run(
            [
                str(self._programs / "initdb"),
                f"--pgdata={self._data}",
                f"--username={USER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            **self.run_as(),
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise Failed(f"initdb failed, exit code {done.returncode}:\n{done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",  # what it holds does not outlive the tests
            **self._settings,
        }
        return [
            str(self._programs / "postgres"),
            "-D",
            str(self._data),
            *(f"--{key}={value}" for key, value in settings.items()),
        ]

    def answers(self) -> bool:
        asked = [str(self._programs / "pg_isready"), "--quiet", f"--host={HOST}", f"--port={self.port}", "--timeout=2"]
        return subprocess.run(asked).returncode == 0


def unprivileged() -> pwd.struct_passwd | None:
    """The user to run as when we are root; None when we are not. Raises Unavailable."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable(f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)}")


def find_programs() -> Path:
    """The folder of the newest initdb. Raises Unavailable when there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))])
    elsewhere = shutil.which("initdb")
    if elsewhere is None:
        raise Unavailable("no PostgreSQL here (Debian, Ubuntu: apt-get install postgresql)")
    return Path(elsewhere).resolve().parent


def check() -> int:
    print(f"PostgreSQL can run here, from {find_programs()}")
    return 0


def run(command: list[str]) -> int:
    programs = find_programs()
    # Not below the project: the user it runs as may have no way in there.
    with tempfile.TemporaryDirectory(prefix="floorwatch-postgres-") as folder:
        postgres = Postgres(Path(folder), programs, free_port())
        return run_with(postgres, command, lambda: {"TEST_POSTGRES_URL": postgres.url})


def _main() -> int:
    asked = parser("tools.real_postgres", "One real PostgreSQL for the time of a command.", ACTIONS).parse_args()
    act = check if asked.action == "check" else lambda: run(asked.command)
    return main(act, or_skip=asked.or_skip, what="a real PostgreSQL")


if __name__ == "__main__":
    sys.exit(_main())

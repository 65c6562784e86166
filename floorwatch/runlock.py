"""One `floorwatch run` at a time in a run directory: two would rotate each other's logs and share a database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from shared.errors import SettingsError
from shared.settings import BrokerSettings, variable


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Hold `run_dir` (made when missing) until the end. The kernel lets go of it however this process ends.

    Raises SettingsError when another process holds it or when it cannot be written.
    """
    setting = variable(BrokerSettings, "run_dir")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / "run.lock").open("a+", encoding="utf-8")
    except OSError as exc:
        raise SettingsError(f"{setting}: {run_dir} cannot be written: {exc.strerror}") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"Floorwatch is running already in {run_dir}{_holder(file)}; stop it, "
                f"or set {setting} and the ports to others"
            ) from None
        try:
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"{os.getpid()}\n".encode())  # a buffer would fail once more when it is closed
        except OSError as exc:  # a full disk, as a rule
            raise SettingsError(f"{setting}: {run_dir} cannot be written: {exc.strerror}") from exc
        yield


def _holder(file: TextIO) -> str:
    """` (process 4711)`; nothing when it has not said yet."""
    file.seek(0)
    pid = file.read().strip()
    return f" (process {pid})" if pid.isdigit() else ""

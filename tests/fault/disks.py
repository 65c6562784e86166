"""Small disks that can be filled to the last byte: file systems in memory, which only root may mount."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tools.servers import Unavailable

_BALLAST: Final = "ballast"
_PROBE: Final = "one-more"


class SmallDisk:
    """A file system of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Until there is no byte left, also of what others gave back meanwhile."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as ballast:
            while not self._full():
                for size in (1 << 20, 1 << 12, 1):
                    with contextlib.suppress(OSError):
                        while ballast.write(b"x" * size):
                            pass

    def _full(self) -> bool:
        try:
            (self.folder / _PROBE).write_bytes(b"x" * 4096)
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            return True
        (self.folder / _PROBE).unlink()
        return False

    def free(self) -> None:
        (self.folder / _PROBE).unlink(missing_ok=True)
        (self.folder / _BALLAST).unlink()


@contextlib.contextmanager
def mounted(megabytes: int) -> Iterator[SmallDisk]:
    """Mounted, and gone at the end with all that is on it. Raises Unavailable where mounting is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="floorwatch-disk-"))  # any user has a way in there
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise Unavailable(f"no small disk: only root may mount one ({done.stderr.strip()})")
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def may_mount() -> bool:
    """Whether there can be small disks here."""
    try:
        with mounted(1):
            return True
    except (Unavailable, OSError):
        return False


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """The same for a test, which is skipped where mounting is not allowed."""
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(mounted(megabytes))
        except Unavailable as exc:
            pytest.skip(str(exc))
        yield disk

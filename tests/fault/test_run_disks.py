"""`floorwatch run` in a folder on a full disk: it says so, and holds nothing."""

from __future__ import annotations

import pytest

from floorwatch.runlock import locked
from shared.errors import SettingsError
from tests.fault.disks import small_disk

pytestmark = pytest.mark.fault


def test_a_full_disk_is_named_before_anything_starts() -> None:
    """It ended with a traceback, twice: once more when the file was closed."""
    with small_disk(1) as disk:
        disk.fill()
        said = r"^FLOORWATCH_RUN_DIR: .* cannot be written: No space left on device$"
        with pytest.raises(SettingsError, match=said), locked(disk.folder):
            pytest.fail("it must not begin")
        disk.free()
        with locked(disk.folder):
            assert (disk.folder / "run.lock").read_text().strip().isdigit()

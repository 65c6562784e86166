"""Every locked package may be used: its licence is known and one of those that we allow."""

from __future__ import annotations

import pytest

from tools.licences import DOCUMENT, LOCKS, Package, document, locked


@pytest.mark.parametrize("lock", LOCKS)
def test_the_licence_of_each_locked_package_is_known_and_allowed(lock: str) -> None:
    packages = locked(LOCKS[lock])
    assert len(packages) > 40
    assert [one for one in packages if not one.allowed] == []


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-2.0-or-later OR MPL-1.1", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND PSF-2.0", True),
        ("", False),
        ("see the web page", False),
    ],
)
def test_what_is_allowed(licence: str, allowed: bool) -> None:
    assert Package("p", "1", licence).allowed is allowed


def test_the_list_in_the_documents_is_that_of_the_lock_files() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "write it anew: python -m tools.licences"

"""What a producer gone wild writes to `switch.raw`: records of ten kinds, each to be refused for a reason of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.bus import MAX_RECORD_BYTES, Headers

_LARGE: Final = MAX_RECORD_BYTES - 1000

# reason -> what earns it; the headers follow those that name vendor and site, unless it has none at all
_BAD: Final[tuple[tuple[str, bytes, Headers | None], ...]] = (
    ("not_json", b'{"specversion": "1.0", ', ()),
    ("not_json", b"\xff\xfe\x00", ()),
    ("invalid_event", b"{}", ()),
    ("invalid_event", b"null", ()),
    ("unknown_type", b'{"specversion":"1.0","id":"1","source":"x","type":"acme.hello"}', ()),
    ("bad_headers", b"{}", None),
    ("bad_headers", b"{}", (("seq", b"9" * 40),)),
    ("bad_headers", b"{}", (("site", b"\xff"),)),
    ("unknown_vendor", b"{}", (("vendor", b"acme"),)),
    ("not_ami", b"\x00\x01", (("vendor", b"asterisk"),)),
)


def bad(count: int, site: str) -> Iterator[tuple[str, bytes, Headers]]:
    """`count` bad records with their reasons; each five thousandth is as large as a record may be."""
    here: Headers = (("vendor", b"generic"), ("site", site.encode()))
    for number in range(count):
        reason, value, headers = _BAD[number % len(_BAD)]
        made = () if headers is None else (*here, *headers)
        yield reason, value.ljust(_LARGE) if number % 5_000 == 5 else value, made

"""TLS to PostgreSQL, by the parameters that every client of it knows: `?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem`.

The driver takes them otherwise, and looks for certificates in a home folder that a service does not have.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy.engine import URL

from shared.errors import SettingsError
from shared.tls import client_context

MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES: Final = ("sslrootcert", "sslcert", "sslkey")
_KEYS: Final = ("sslmode", "ssl", *_FILES, "sslpassword")
_SYSTEM: Final = "system"


def tls_of(url: URL, setting: str = "") -> tuple[URL, dict[str, Any]]:
    """`url` without what it says of TLS, and that as the driver takes it.

    As in libpq `require` encrypts and asks for nobody's signature, unless `sslrootcert` is given; `verify-ca` and `verify-full`
    without it (or with `system`) go by the system's authorities. Raises SettingsError naming `setting`, parameter and file.
    """
    said = {key: _one(value) for key, value in url.query.items() if key in _KEYS}
    if not said:
        return url, {}
    begin = f"{setting}: " if setting else ""
    mode = said.get("sslmode") or said.get("ssl") or "prefer"
    if mode not in MODES:
        raise SettingsError(f"{begin}sslmode: expected one of {', '.join(MODES)}, got {mode!r}")
    if mode in MODES[:3]:
        if given := next((name for name in _FILES if said.get(name)), None):
            raise SettingsError(f"{begin}{given}: a file is given, but sslmode is {mode}: set it to verify-full")
        how: Any = False if mode == "disable" else mode
    else:
        how = _context(mode, said, begin)
    return url.difference_update_query(_KEYS), {"ssl": how}


def certificate_of(url: URL) -> Path | None:
    """The file of the certificate that a server is shown that asks for one; None: none, as far as `url` says."""
    found = _one(url.query.get("sslcert", ""))
    return Path(found) if found else None


def _context(mode: str, said: dict[str, str], begin: str) -> ssl.SSLContext:
    root, cert, key = (said.get(name, "") for name in _FILES)
    context = client_context(
        ca=None if root in ("", _SYSTEM) else Path(root),
        ca_setting=f"{begin}sslrootcert",
        cert=Path(cert) if cert else None,
        cert_setting=f"{begin}sslcert",
        key=Path(key) if key else None,
        key_setting=f"{begin}sslkey",
        password=SecretStr(said.get("sslpassword", "")),
    )
    context.check_hostname = mode == "verify-full"
    if mode == "require" and not root:
        context.verify_mode = ssl.CERT_NONE
    return context


def _one(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else value[-1]

"""One HTTP POST of JSON: certificates are checked, redirects are not followed, what is answered is cut short."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from services.alerts.reach.outgoing import Answer

TIMEOUT_S: Final = 10.0
_MOST: Final = 1000  # bytes of an answer that are read
_OF_A_GATEWAY: Final = (502, 504)  # whoever is behind it may have taken it
# a proxy is used as the environment says; a redirect would take a signed message to whoever is named there
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_Stay)


def post(url: str, body: bytes, headers: Mapping[str, str], now: datetime, timeout_s: float = TIMEOUT_S) -> Answer:
    """Blocking. Every status of 2xx is a success."""
    address, login = _without_login(url)
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", **login, **headers})
    try:
        with _OPENER.open(request, timeout=timeout_s) as response:
            return Answer(True, f"HTTP {response.status}")
    except urllib.error.HTTPError as exc:
        return _refused(exc, now)
    except TimeoutError:
        return Answer(False, f"no answer within {timeout_s:g} s", maybe=True)
    except urllib.error.URLError as exc:  # while connecting or sending; what is raised as it is came afterwards
        if isinstance(exc.reason, TimeoutError):
            return Answer(False, f"no connection within {timeout_s:g} s")
        return Answer(False, f"not reached: {exc.reason}")
    except (OSError, http.client.HTTPException) as exc:
        return Answer(False, f"no answer: {exc or type(exc).__name__}", maybe=True)


def _refused(exc: urllib.error.HTTPError, now: datetime) -> Answer:
    with exc:
        try:
            said = exc.read(_MOST).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            said = ""
    if exc.code in _REDIRECTS:
        return Answer(False, f"HTTP {exc.code}: a redirect, which is not followed; the address must be the final one")
    later = retry_after(exc.headers.get("Retry-After", ""), now)
    return Answer(False, f"HTTP {exc.code}: {said}".rstrip(": "), later, maybe=exc.code in _OF_A_GATEWAY)


def retry_after(written: str, now: datetime) -> timedelta | None:
    """How long the other side asks to wait: seconds, or a date (RFC 9110, 10.2.3); None when it does not, or not clearly."""
    written = written.strip()
    if written.isascii() and written.isdigit():
        return timedelta(seconds=min(int(written), 10**6))
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    return None if at.tzinfo is None else max(timedelta(0), at - now)


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return address, {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}

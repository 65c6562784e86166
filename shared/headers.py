"""The headers that every answer has, of whichever service and whatever kind."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from starlette.datastructures import MutableHeaders

from shared.tls import HSTS

# no inline script or style, nothing from elsewhere, in no frame; 'self' covers this page's WebSocket too
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src {connect}; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CONTENT_SECURITY_POLICY: Final = _POLICY.format(connect="'self'")
# the page for listening speaks, when its user wants to; nothing else of the machine is any page's business
PERMISSIONS_POLICY: Final = "microphone=(self), camera=(), display-capture=(), geolocation=(), payment=(), usb=()"
_OWN: Final = "same-origin"


def policy(elsewhere: str = "") -> str:
    """The Content-Security-Policy of pages that may connect to `elsewhere`, too."""
    return _POLICY.format(connect=f"'self' {elsewhere}") if elsewhere else CONTENT_SECURITY_POLICY


def add_headers(message: MutableMapping[str, Any], scope: Mapping[str, Any], policy: str) -> None:
    """Defaults: a response that sets one of these itself keeps its own."""
    headers = MutableHeaders(scope=message)
    headers.setdefault("content-security-policy", policy)
    headers.setdefault("x-content-type-options", "nosniff")
    headers.setdefault("referrer-policy", "no-referrer")
    headers.setdefault("cross-origin-opener-policy", _OWN)
    headers.setdefault("cross-origin-resource-policy", _OWN)
    headers.setdefault("permissions-policy", PERMISSIONS_POLICY)
    if scope["path"].startswith("/api/") or message["status"] >= 400:
        headers.setdefault("cache-control", "no-store")
    if scope.get("scheme") in ("https", "wss"):
        headers.setdefault("strict-transport-security", HSTS)

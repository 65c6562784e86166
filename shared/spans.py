"""Spans for a tracing system, of what the trails' lines say: off unless FLOORWATCH_OTLP_ENDPOINT is set, and free then.

Nothing is carried for them from process to process: trace and span ids are worked out from what is told of (`shared.tracing`), so
whoever tells of a step names the one before it, and a replica or a replay that says it again says the same span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from shared.errors import SettingsError
from shared.settings import CommonSettings, variable
from shared.tracing import place_of

_MIX: Final = 2_654_435_761  # Knuth's multiplicative hash: neighbours in the log are far from each other
_BITS: Final = 32


class Span(Struct, frozen=True):
    """One step. Ids are hexadecimal, `trace` of 32 digits, `id` and `parent` of 16 ("": the first)."""

    trace: str
    id: str
    name: str
    start: datetime
    end: datetime
    parent: str = ""
    attributes: Mapping[str, str | int | float] = {}
    failed: bool = False


_send: Callable[[Span], None] | None = None
_share = 0.0


def configure(service: str, settings: CommonSettings) -> None:
    """Send spans as the settings say. Raises SettingsError where the packages for it are missing."""
    if not settings.otlp_endpoint:
        use(None)
        return
    try:
        from shared.otlp import sender
    except ImportError as exc:
        name = variable(CommonSettings, "otlp_endpoint")
        raise SettingsError(f"{name}: set, but {exc.name} is missing: pip install 'floorwatch[otel]'") from None
    use(sender(service, settings.otlp_endpoint), settings.otlp_events)


def use(send: Callable[[Span], None] | None, share: float = 0.0) -> None:
    """Give spans to `send` from now on, `share` of those of single records; None: to nobody."""
    global _send, _share
    _send, _share = send, share


def wanted() -> bool:
    """Whether somebody wants spans of flags and what follows from them."""
    return _send is not None


def records_wanted() -> bool:
    """Whether somebody wants spans of single records, of which there are thousands a second."""
    return _send is not None and _share > 0


def sampled(trace: str) -> bool:
    """Whether this record is one of the share: the same ones at each service and in each replay."""
    if not trace:
        return False
    mixed = (place_of(trace)[1] * _MIX) & ((1 << _BITS) - 1)
    return mixed < _share * (1 << _BITS)


def add(span: Span) -> None:
    """Tell of a step; one without a trace goes back to nothing and is left out."""
    if _send is not None and span.trace:
        _send(span)

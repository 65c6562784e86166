"""The recorded Asterisk floor for tests: its packets, and what the adapter makes of them, changed or not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

from services.ingest.adapters.asterisk import AsteriskAdapter
from shared.clock import EPOCH
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import QueueConfig, SiteConfig
from tests.perturb import Packet, Recording, recording

SITE = "hq"
WRAP_UP_S = {"sales": 6, "support": 10, "complaints": 15}
CONFIG = SiteConfig(queues={name: QueueConfig(wrap_up_s=seconds) for name, seconds in WRAP_UP_S.items()})


@lru_cache(maxsize=1)
def packets() -> Recording:
    """All of them, in order."""
    return recording()


def of_kind(*kinds: str) -> list[Packet]:
    """Those of these kinds of event."""
    return [packet for packet in packets() if packet[1].get("Event") in kinds]


def raws(found: Iterable[Packet]) -> list[Raw]:
    return [
        Raw(
            value=json.dumps(headers).encode(),
            vendor="asterisk",
            site=SITE,
            connector="recorded",
            received=EPOCH + timedelta(seconds=received),
            partition=0,
            offset=offset,
        )
        for offset, (received, headers) in enumerate(found)
    ]


def tell(found: Iterable[Packet], config: SiteConfig = CONFIG) -> list[Event]:
    """What a new adapter makes of these packets."""
    adapter = AsteriskAdapter(SITE, config)
    return [event for raw in raws(found) for event in adapter.feed(raw)]


@lru_cache(maxsize=1)
def told() -> tuple[Event, ...]:
    """What it makes of them all."""
    return tuple(tell(packets()))

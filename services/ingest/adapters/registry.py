"""The adapters that there are, by the word in the `vendor` header."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.ingest.adapters.asterisk import AsteriskAdapter
from services.ingest.adapters.base import Adapter
from services.ingest.adapters.generic import GenericAdapter
from shared.siteconfig import SiteConfig

MakeAdapter = Callable[[str, SiteConfig], Adapter]

ADAPTERS: Mapping[str, MakeAdapter] = {"asterisk": AsteriskAdapter, "generic": GenericAdapter}

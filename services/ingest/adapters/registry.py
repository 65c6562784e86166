"""The adapters that there are, by the word in the `vendor` header."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.ingest.adapters.anonymous_bank import AnonymousBankAdapter
from services.ingest.adapters.asterisk import AsteriskAdapter
from services.ingest.adapters.base import Adapter
from services.ingest.adapters.generic import GenericAdapter
from shared.siteconfig import SiteConfig

MakeAdapter = Callable[[str, SiteConfig], Adapter]

ADAPTERS: Mapping[str, MakeAdapter] = {
    "anonymous_bank": AnonymousBankAdapter,
    "asterisk": AsteriskAdapter,
    "generic": GenericAdapter,
}

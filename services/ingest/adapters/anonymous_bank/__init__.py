"""The adapter for the "Anonymous Bank" call log (docs/anonymous-bank.md): one row a call, finished calls only."""

from services.ingest.adapters.anonymous_bank.adapter import END, AnonymousBankAdapter, until
from services.ingest.adapters.anonymous_bank.counts import RowCounts
from services.ingest.adapters.anonymous_bank.moments import TIME_ZONE
from services.ingest.adapters.anonymous_bank.rows import entry_of, over_at

__all__ = ["END", "TIME_ZONE", "AnonymousBankAdapter", "RowCounts", "entry_of", "over_at", "until"]

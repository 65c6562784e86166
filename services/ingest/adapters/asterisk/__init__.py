"""Asterisk: its manager interface (AMI) translated into canonical events."""

from services.ingest.adapters.asterisk.adapter import AsteriskAdapter

__all__ = ["AsteriskAdapter"]

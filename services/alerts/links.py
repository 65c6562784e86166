"""The address under which people reach the page."""

from __future__ import annotations

from shared.settings import AlertsSettings


def public_url(settings: AlertsSettings) -> str:
    """How people reach the page: as set, else where the service listens."""
    if "public_url" in settings.model_fields_set:
        return settings.public_url
    return f"{'http' if settings.tls_cert_file is None else 'https'}://{settings.host}:{settings.port}"


def incident_url(public: str, number: int) -> str:
    """The page of an incident."""
    return f"{public.rstrip('/')}/#incident={number}"


def home_url(public: str) -> str:
    """The page with all of them."""
    return f"{public.rstrip('/')}/"

"""What may be reached from elsewhere: a service that anybody may use listens to this machine alone."""

from __future__ import annotations

from ipaddress import ip_address

import structlog

from shared.errors import SettingsError
from shared.settings import ServiceSettings, variable

log = structlog.get_logger()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there. A name is believed when it is `localhost`, for others may change."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_exposed(settings: ServiceSettings) -> None:
    """Raises SettingsError where the network would reach a service at which nobody has to sign in."""
    if settings.identified or is_loopback(settings.host):
        return
    kind = type(settings)
    insecure = variable(kind, "insecure_no_sign_in")
    if settings.insecure_no_sign_in:
        log.warning(
            "NOBODY HAS TO SIGN IN: whoever reaches this port sees and does everything",
            host=settings.host,
            because=insecure,
        )
        return
    raise SettingsError(
        f"{variable(kind, 'host')}: {settings.host or 'every address'} is reached from elsewhere, and nobody has to sign in: "
        f"whoever comes would see and do everything. Set {variable(kind, 'users_file')} (as deploy/users.demo.yaml) or "
        f"{variable(kind, 'oidc_issuer')}, or listen on 127.0.0.1. Where something else lets only the right people in: "
        f"{insecure}=true"
    )

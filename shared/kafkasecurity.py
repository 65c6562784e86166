"""How brokers are spoken to, from the settings: in the clear or by TLS, with or without a user. Knows no client library."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from shared.errors import SettingsError
from shared.settings import CommonSettings, variable
from shared.settingtypes import OF_FILE
from shared.tls import client_context
from shared.transportsettings import KafkaSecuritySettings

_OWN: Final = tuple(KafkaSecuritySettings.model_fields)
_WITH_A_VALUE: Final = ("kafka_security_protocol", "kafka_sasl_mechanism")
# the same for the environment of who is to speak so, whatever ours says
IN_THE_CLEAR: Final = MappingProxyType(
    {variable(CommonSettings, name): "" for name in _OWN}
    | {variable(CommonSettings, name) + OF_FILE: "" for name in _OWN if name.endswith("password")}
    | {variable(CommonSettings, name): str(CommonSettings.model_fields[name].default) for name in _WITH_A_VALUE}
)


def security_of(settings: CommonSettings) -> dict[str, Any]:
    """What `KafkaBus` is told besides where the brokers are: {} where they are spoken to in the clear by nobody in particular.

    Raises SettingsError naming the variable, and the file where there is one.
    """
    protocol = settings.kafka_security_protocol
    _check(settings, tls=protocol.endswith("SSL"), sasl=protocol.startswith("SASL_"))
    if protocol == "PLAINTEXT":
        return {}
    found: dict[str, Any] = {"security_protocol": protocol}
    if protocol.startswith("SASL_"):
        found |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    if protocol.endswith("SSL"):
        found["ssl_context"] = client_context(
            ca=settings.kafka_ssl_ca_file,
            ca_setting=_named("kafka_ssl_ca_file"),
            cert=settings.kafka_ssl_cert_file,
            cert_setting=_named("kafka_ssl_cert_file"),
            key=settings.kafka_ssl_key_file,
            key_setting=_named("kafka_ssl_key_file"),
            password=settings.kafka_ssl_key_password,
        )
    return found


def in_the_clear(settings: CommonSettings, bootstrap: str) -> CommonSettings:
    """The same, but for a broker at `bootstrap` that is spoken to in the clear: the embedded one."""
    own = {name: CommonSettings.model_fields[name].default for name in _OWN}
    return settings.model_copy(update=own | {"kafka_bootstrap": bootstrap})


def _check(settings: CommonSettings, *, tls: bool, sasl: bool) -> None:
    """What was set for nothing would be believed to protect. Raises SettingsError."""
    protocol = f"{_named('kafka_security_protocol')} is {settings.kafka_security_protocol}"
    if sasl:
        for name in ("kafka_sasl_username", "kafka_sasl_password"):
            if not getattr(settings, name):
                raise SettingsError(f"{_named(name)}: not set, though {protocol}")
    elif settings.kafka_sasl_username or settings.kafka_sasl_password:
        raise SettingsError(
            f"{_named('kafka_sasl_username')}: a user is given, but {protocol}: set it to SASL_SSL (or SASL_PLAINTEXT)"
        )
    if not tls:
        for name in ("kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file"):
            if getattr(settings, name) is not None:
                raise SettingsError(f"{_named(name)}: a file is given, but {protocol}: set it to SSL or SASL_SSL")


def _named(name: str) -> str:
    return variable(CommonSettings, name)

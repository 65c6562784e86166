"""TLS: contexts for our ports and for what we connect to, and a certificate that is renewed while a service runs.

TLS 1.2 is the oldest that is spoken on either side (RFC 8996), and who connects checks the other's certificate and name unless
a setting says otherwise. A file that cannot be used is told of by its variable and path, at the start.
"""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from pydantic import SecretStr

from shared.clock import Clock, SystemClock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth
from shared.filewatch import POLL_S, Signature, signature
from shared.settings import ServiceSettings, variable

OLDEST: Final = ssl.TLSVersion.TLSv1_2
SOON: Final = timedelta(days=14)  # who renews by himself does so at 30 days
DAY_S: Final = 86_400.0
HSTS: Final = "max-age=31536000"  # a year (RFC 6797); other names below ours are not ours to speak for

log = structlog.get_logger()


class ServerTls:
    """What our ports show: one context for the life of the process, whose certificate is exchanged when its files are."""

    def __init__(self, cert: Path, key: Path, password: SecretStr, *, cert_setting: str, key_setting: str) -> None:
        """Raises SettingsError naming the variable and the file."""
        self._cert, self._key, self._password = cert, key, password
        self._settings = (cert_setting, key_setting)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = OLDEST
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._signatures()
        self._load(self.context)
        self.expires = end_of(cert, cert_setting)
        self.health = FileHealth("certificate", SystemClock())

    @classmethod
    def of(cls, settings: ServiceSettings) -> ServerTls | None:
        """As the settings say; None: without TLS. Raises SettingsError."""
        cert_setting, key_setting = (
            variable(ServiceSettings, "tls_cert_file"),
            variable(ServiceSettings, "tls_key_file"),
        )
        if settings.tls_cert_file is None and settings.tls_key_file is None:
            return None
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            missing, there = (
                (cert_setting, key_setting) if settings.tls_cert_file is None else (key_setting, cert_setting)
            )
            raise SettingsError(f"{missing}: not set, though {there} is: TLS needs both")
        files = (settings.tls_cert_file, settings.tls_key_file)
        return cls(*files, settings.tls_key_password, cert_setting=cert_setting, key_setting=key_setting)

    async def follow(self, clock: Clock) -> None:
        """Take over a renewed certificate, for ever, and say each day when it ends soon. Connections that are open keep what they
        began with."""
        remind_at = clock.monotonic()
        while True:
            if clock.monotonic() >= remind_at:
                remind_at += DAY_S
                remind_of(self._cert, self.expires, clock.now(), "nobody connects")
            await clock.sleep(POLL_S)
            self.look()

    def look(self) -> None:
        """Take over the files if they changed. A pair that does not fit, as while one is being written, changes nothing."""
        found = self._signatures()
        if found == self._seen:
            return
        self._seen = found
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # what is shown must not be half of a pair
            expires = end_of(self._cert, self._settings[0])
            self._load(self.context)
        except (SettingsError, OSError) as exc:  # a file may go while it is looked at
            self.health.refused()
            log.error("certificate not renewed", why=str(exc), consequence="the old one is shown")
            return
        self.expires = expires
        self.health.read()
        log.info("certificate renewed", file=str(self._cert), expires=self.expires)

    def _signatures(self) -> tuple[Signature, Signature]:
        return signature(self._cert), signature(self._key)

    def _load(self, context: ssl.SSLContext) -> None:
        _load_pair(context, self._cert, self._key, self._password, self._settings)


def client_context(
    *,
    ca: Path | None,
    ca_setting: str,
    cert: Path | None = None,
    key: Path | None = None,
    password: SecretStr | None = None,
    cert_setting: str = "",
    key_setting: str = "",
) -> ssl.SSLContext:
    """For connecting: the other side's certificate must be signed by one of `ca` (None: the system's authorities) and bear its
    name. `cert` and `key` (None: with `cert` in one file) are shown where it asks. Raises SettingsError."""
    if ca is not None:
        _check_readable(ca, ca_setting)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as exc:
        raise SettingsError(f"{ca_setting}: {ca} holds no certificate in PEM form: {_reason(exc)}") from None
    context.minimum_version = OLDEST
    if cert is not None:
        _load_pair(context, cert, key or cert, password or SecretStr(""), (cert_setting, key_setting or cert_setting))
    elif key is not None:
        raise SettingsError(
            f"{cert_setting}: not set, though {key_setting} is: a key is of no use without its certificate"
        )
    return context


def remind_of(cert: Path, expires: datetime, now: datetime, consequence: str) -> None:
    """Say that a certificate ends soon, if it does, or what comes of it that it has ended."""
    left = expires - now
    if left <= timedelta(0):
        log.error("certificate has ended", file=str(cert), expires=expires, consequence=consequence)
    elif left < SOON:
        log.warning("certificate ends soon", file=str(cert), expires=expires, days=left.days)


def why_not(exc: ssl.SSLError) -> str:
    """A handshake's failure in words."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message}"
    return f"no TLS could be agreed on: {_reason(exc)}"


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path, password: SecretStr, settings: tuple[str, str]) -> None:
    for path, setting in ((cert, settings[0]), (key, settings[1])):
        _check_readable(path, setting)
    given = password.get_secret_value()
    try:
        context.load_cert_chain(cert, key, password=lambda: given)
    except ssl.SSLError as exc:
        raise SettingsError(f"{settings[0]}, {settings[1]}: {_why_no_pair(exc, cert, key, bool(given))}") from None
    except ValueError as exc:  # a password longer than OpenSSL takes
        raise SettingsError(f"{settings[1]}: {key}: {exc}") from None


def _why_no_pair(exc: ssl.SSLError, cert: Path, key: Path, has_password: bool) -> str:
    if exc.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key} is not that of the certificate in {cert}"
    if b"ENCRYPTED" in key.read_bytes():  # OpenSSL says of this no more than that it could not
        return f"the key in {key} is encrypted, and the password {'does not fit' if has_password else 'is missing'}"
    return f"no certificate in {cert} with its key in {key}, in PEM form: {_reason(exc)}"


def end_of(cert: Path, setting: str) -> datetime:
    """When the first certificate of a file ends. Raises SettingsError for one that OpenSSL takes and others do not."""
    try:
        return x509.load_pem_x509_certificates(cert.read_bytes())[0].not_valid_after_utc
    except ValueError as exc:
        raise SettingsError(f"{setting}: {cert} holds a certificate that cannot be read: {exc}") from None


def _check_readable(path: Path, setting: str) -> None:
    try:
        path.open("rb").close()
    except OSError as exc:
        raise SettingsError(f"{setting}: {path} cannot be read: {exc.strerror or exc}") from None


def _reason(exc: ssl.SSLError) -> str:
    return (exc.reason or str(exc)).replace("_", " ").lower()

"""The file that says which switches to log in to (ASTERISK_FILE), such as deploy/asterisk.example.yaml.

Passwords are not in it: it says in which file or environment variable each is.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import structlog
from msgspec import Meta, Struct

from shared.errors import SettingsError
from shared.settings import SITE_PATTERN, SITE_WORDS
from shared.yamlfile import Where, load_checked

log = structlog.get_logger()

SETTING: Final = "ASTERISK_FILE"
MEDIA: Final = re.compile(r"(?:audiosocket://)?((?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5})")
_MASK: Final = re.compile(r"[a-z]+(,[a-z]+)*")
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")

Seconds = Annotated[float, Meta(gt=0, le=3600)]


class SwitchConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One switch, the key of which is its site."""

    host: str
    user: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 5038
    password_file: str = ""
    password_env: str = ""
    connector: str = "asterisk"  # its name on the pages and in records
    login: Literal["challenge", "plain"] = "challenge"  # challenge: the password itself is never sent
    tls: bool = False
    tls_ca_file: str = ""  # of the switch's certificate, beside this file; none: the machine's own list
    events: str = "system,call,agent,user,dtmf"  # classes to subscribe to
    commands: bool = True  # carry out listening, pausing, logging off; off where a second connector hears the site
    media: str = ""  # host:port of the relay as this switch reaches it, instead of what commands say
    connect_s: Seconds = 5.0  # for a connection and for the login
    ping_s: Seconds = 5.0  # how often the switch is asked whether it is there
    answer_s: Seconds = 5.0  # for its answer to an action
    list_s: Seconds = 30.0  # for a whole listing
    resync_s: Seconds = 60.0
    begin_s: Seconds = 5.0  # for a listening leg to hear


class SwitchesFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    sites: dict[str, SwitchConfig]


class Switch(Struct, frozen=True):
    """A switch with everything that is needed to log in."""

    site: str
    config: SwitchConfig
    password: str

    def __repr__(self) -> str:
        return f"Switch({self.site} at {self.where})"

    @property
    def where(self) -> str:
        """`pbx:5038`."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{host}:{self.config.port}"


def load_switches(path: Path | None, env: Mapping[str, str] = os.environ) -> list[Switch]:
    """The switches of the file, with their passwords. Raises SettingsError naming file, line and key."""
    if path is None:
        raise SettingsError(f"{SETTING} is not set; it names the file that says which switches to log in to")
    found, where = load_checked(path, SwitchesFile, setting=SETTING)
    if not found.sites:
        raise SettingsError(f"{where('sites')}: no site is named")
    return [_switch(site, config, where, path, env) for site, config in found.sites.items()]


def _switch(site: str, config: SwitchConfig, where: Where, path: Path, env: Mapping[str, str]) -> Switch:
    key = f"sites.{site}"
    for field, ok, words in (
        ("", bool(re.fullmatch(SITE_PATTERN, site)), f"a site's name is {SITE_WORDS}"),
        ("host", bool(_HOST.fullmatch(config.host)), "expected a host name or an address"),
        ("user", bool(config.user) and config.user.isprintable(), "expected the manager user's name"),
        ("connector", bool(re.fullmatch(SITE_PATTERN, config.connector)), f"expected {SITE_WORDS}"),
        ("events", bool(_MASK.fullmatch(config.events)), "expected classes such as system,call,agent,user,dtmf"),
        ("media", not config.media or MEDIA.fullmatch(config.media) is not None, "expected host:port of the relay"),
        ("tls_ca_file", config.tls or not config.tls_ca_file, "tls is off, so nothing is checked with it"),
    ):
        if not ok:
            raise SettingsError(f"{where(f'{key}.{field}' if field else key)}: {words}")
    if config.tls_ca_file:
        file = _authority(path.parent / config.tls_ca_file, where(f"{key}.tls_ca_file"))
        config = msgspec.structs.replace(config, tls_ca_file=str(file))
    return Switch(site, config, _password(key, config, where, path, env))


def _authority(file: Path, place: str) -> Path:
    """The file, once it was seen to hold a certificate: that it does not would look like a fault of the switch."""
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError as exc:
        raise SettingsError(f"{place}: {file} holds no certificate in PEM: {exc.reason or exc}") from exc
    except OSError as exc:
        raise SettingsError(f"{place}: {file} cannot be read: {exc.strerror}") from exc
    return file


def _password(key: str, config: SwitchConfig, where: Where, path: Path, env: Mapping[str, str]) -> str:
    if bool(config.password_file) == bool(config.password_env):
        raise SettingsError(f"{where(key)}: needs either password_file or password_env, to say where the password is")
    if config.password_env:
        password, place = env.get(config.password_env, ""), where(f"{key}.password_env")
        problem = f"the environment has no {config.password_env}, or it is empty"
    else:
        password, place = _from_file(path.parent / config.password_file, where(f"{key}.password_file")), ""
        place, problem = where(f"{key}.password_file"), f"{config.password_file} is empty"
    if not password:
        raise SettingsError(f"{place}: {problem}")
    if not password.isprintable():
        raise SettingsError(f"{place}: the password has characters that AMI cannot carry")
    return password


def _from_file(file: Path, place: str) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        open_to_all = stat.S_IMODE(file.stat().st_mode) & 0o007
    except OSError as exc:
        raise SettingsError(f"{place}: {file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(f"{place}: {file} is not UTF-8 text") from exc
    if open_to_all:
        log.warning("everybody on this machine may read a password file", file=str(file), advice="chmod 600")
    return text.strip("\r\n")

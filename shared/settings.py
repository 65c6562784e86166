"""Settings: environment variables, read and checked once in `main` and passed down. No module reads them at import.

`load(MonitorSettings)` gives one frozen object with the service's own settings (prefix `MONITOR_`) and the common ones, or
raises SettingsError naming each wrong variable and what was expected of it. Tests build the classes with keywords.

Every secret may be in a file instead, as orchestrators hand them over: `AUTH_SECRET_FILE=/run/secrets/auth` for `AUTH_SECRET`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.authsettings import AuthSettings
from shared.errors import SettingsError
from shared.settingtypes import OF_FILE, Numbers, OptionalPath, Seconds, Words, commas
from shared.transportsettings import KafkaSecuritySettings, ServingSettings

ROOT = Path(__file__).resolve().parent.parent
# installed as a package there is no project to keep things in: where one stands
RUN_DIR = (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / ".run"

SITE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"  # a site's name is in keys, addresses and file names
SITE_WORDS = "letters, digits and . _ -, a letter or digit first"

HOST_PATTERN = r"^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?)$"

Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one, for tests
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]
HostNames = Annotated[tuple[Annotated[str, Field(pattern=HOST_PATTERN)], ...], NoDecode, BeforeValidator(commas)]


class CommonSettings(AuthSettings, KafkaSecuritySettings):
    """What every process needs. The names stay as they are under any service's prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, validate_default=False)

    kafka_bootstrap: str = Field(
        "127.0.0.1:9392",
        validation_alias="KAFKA_BOOTSTRAP",
        pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$",
        description="host:port, several parted by commas",
    )
    # the embedded broker has no producer ids; switch it on with Apache Kafka
    kafka_idempotent: bool = Field(False, validation_alias="KAFKA_IDEMPOTENT")
    sites_file: Path = Field(ROOT / "deploy" / "sites.yaml", validation_alias="FLOORWATCH_SITES_FILE")
    # by which names browsers reach the services, besides addresses, localhost and this machine's; "*": any
    allowed_hosts: HostNames = Field(
        (),
        validation_alias="FLOORWATCH_ALLOWED_HOSTS",
        description="names without port, parted by commas",
    )
    run_dir: Path = Field(RUN_DIR, validation_alias="FLOORWATCH_RUN_DIR")
    log_level: LogLevel = Field("info", validation_alias="FLOORWATCH_LOG_LEVEL")
    log_format: LogFormat = Field("auto", validation_alias="FLOORWATCH_LOG_FORMAT")  # auto: for people on a terminal
    # where spans go (OTLP/HTTP), such as http://127.0.0.1:4318/v1/traces; none: nowhere
    otlp_endpoint: str = Field("", validation_alias="FLOORWATCH_OTLP_ENDPOINT", pattern=r"^(https?://[^\s]+)?$")
    otlp_events: float = Field(0.01, validation_alias="FLOORWATCH_OTLP_EVENTS", ge=0, le=1)  # of records that get spans


class ServiceSettings(CommonSettings, ServingSettings):
    """What every service with an HTTP port has."""

    host: str = "127.0.0.1"  # nothing listens to the network until somebody decides so
    port: Port = 0
    shutdown_s: Seconds = 5.0  # how long open requests and feeds may take to end
    # asked to end, a service is not ready and serves for so long yet: until load balancers send nobody to it any more
    drain_s: Annotated[float, Field(ge=0, le=600)] = Field(0.0, validation_alias="FLOORWATCH_DRAIN_S")


class PumpSettings(ServiceSettings):
    """What every service with a pump has."""

    # a restart replays the tail since the last checkpoint: of 5000 events a second some two seconds' work
    checkpoint_s: Seconds = 5.0


class IngestSettings(PumpSettings):
    """`INGEST_*`."""

    model_config = SettingsConfigDict(env_prefix="INGEST_")

    port: Port = 8601
    # clock marks while anything runs on a site: the grain of every timer. With more than 20 sites up to 0.05
    mark_s: Seconds = 0.02
    idle_mark_s: Seconds = 1.0  # clock marks otherwise; a board counts as stale after three missing ones
    skew_window_s: Seconds = 60.0  # the clock offset is the smallest delay seen in this window
    dead_letter_limit: int = Field(1000, ge=1)  # a minute; more means a wrong adapter, and readiness says so


class MonitorSettings(PumpSettings):
    """`MONITOR_*`."""

    model_config = SettingsConfigDict(env_prefix="MONITOR_")

    port: Port = 8600
    rules_file: Path = ROOT / "deploy" / "rules.yaml"
    partitions: Numbers = ()  # of floor.events, such as "0,1"; empty: all
    # of this replica, where several run on the same partitions: the same after every restart, for its checkpoints have it
    name: str = Field("0", pattern=SITE_PATTERN, description=SITE_WORDS)
    flush_s: Seconds = 0.05  # deltas of this long go out together; flags do not wait
    # what may wait for one wallboard, the frame that is being sent included; beyond that it gets last values only. What waits
    # longer is older, and a thousand that do not read must not cost more than this machine has
    max_unsent_bytes: int = Field(256 << 10, ge=64 << 10)
    slow_s: Seconds = 10.0  # a wallboard that takes nothing for so long is let go
    max_connections: int = Field(2000, ge=1)  # of one user; without users everybody is the same one
    max_filters: int = Field(200, ge=1)  # different ones of one user at a time: each costs work with every change
    messages_per_s: Annotated[float, Field(gt=0)] = 20.0  # that a wallboard may send
    delta_log: int = Field(
        2000, ge=1
    )  # deltas of which it is known what they changed, for resume: 100 s of 50 ms flushes
    # how often each site's state is kept for rewinding, and after how many records of its partition of floor.events sooner (a
    # fifth of the time at least): a rewind replays so much at most
    history_s: Seconds = 300.0
    history_records: int = Field(50_000, ge=1)
    rewind_limit_s: Seconds = 20.0  # what takes longer is given up, with its process
    rewind_idle_s: Seconds = 180.0  # after which the process that rewinds ends
    # the desk's: cases, finished transfers and calls, preferences. The board does without
    db_url: SecretStr = SecretStr(f"sqlite+aiosqlite:///{RUN_DIR / 'monitor.db'}")
    keep_days: Annotated[float, Field(gt=0)] = 7.0  # finished transfers and calls, as long as floor.events is kept
    keep_cases_days: Annotated[float, Field(gt=0)] = 365.0  # closed cases with their transfers, actions
    cases_file: Path = ROOT / "deploy" / "cases.yaml"  # reasons for transfers; not there: the built-in ones
    # cases, actions and preferences that one user may change, a minute's worth at once: people make a few, and a script in a
    # loop must not fill the database
    changes_per_minute: int = Field(120, ge=1)
    # where pages find the relay's WebSocket; none: on the page's own host at RELAY_PORT
    relay_url: str = Field(
        "", pattern=r"^(wss?://[^\s/]+\S*)?$", description="a URL such as wss://floor.example.org/relay"
    )


class AlertsSettings(ServiceSettings):
    """`ALERTS_*`."""

    model_config = SettingsConfigDict(env_prefix="ALERTS_")

    port: Port = 8602
    db_url: SecretStr = SecretStr(f"sqlite+aiosqlite:///{RUN_DIR / 'alerts.db'}")  # secret: it may hold a password
    notify_urls: Words = ()  # apprise URLs, separated by spaces; none: incidents are only on the page
    # who is told of what, when, and what hides it; none: everybody of ALERTS_NOTIFY_URLS of everything, at once
    file: OptionalPath = ROOT / "deploy" / "alerts.yaml"
    public_url: str = "http://127.0.0.1:8602"  # how people reach this service, for links in notifications
    reopen_s: Seconds = 900.0  # a flag this soon after a resolution reopens the incident; later it is a new one
    quiet_s: Seconds = 28_800.0  # over for a shift and taken by nobody: the incident resolves itself
    critical_quiet_s: Seconds = 86_400.0  # the same for critical ones: a day, so that every shift has seen it
    max_connections: int = Field(200, ge=1)  # open pages of one user; without users everybody is the same one
    slow_s: Seconds = 10.0  # a page that takes nothing for so long is let go


class RelaySettings(ServiceSettings):
    """`RELAY_*`: where the sound of calls comes in and goes out to listeners."""

    model_config = SettingsConfigDict(env_prefix="RELAY_")

    port: Port = 8603
    media_host: str = "127.0.0.1"  # AudioSocket has neither a password nor TLS: loopback, a VPN, or behind a firewall
    media_port: Port = 8604
    # where switches are told to send the sound; none: audiosocket:// to media_host and media_port
    media_url: str = Field("", pattern=r"^([a-z]+://\S+)?$", description="a URL such as audiosocket://10.0.0.9:8604")
    name: str = Field("relay", pattern=SITE_PATTERN, description=SITE_WORDS)
    max_forks: int = Field(1000, ge=1)  # calls listened to at a time, and connections that have not named theirs yet
    max_listeners: int = Field(2000, ge=1)  # connections of pages
    late_s: Seconds = 0.2  # sound that comes so much after its time is dropped: it would be played late


class SimulatorSettings(CommonSettings):
    """`SIMULATOR_*`."""

    model_config = SettingsConfigDict(env_prefix="SIMULATOR_")

    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0  # seconds of floor time in one of ours
    seed: int = 1  # the same seed gives the same day
    audio: Literal["speech", "tones"] = "speech"  # what calls sound like; tones are for tests
    site: str = Field(
        "demo",
        pattern=SITE_PATTERN,
        description=SITE_WORDS,
    )


class AsteriskSettings(ServiceSettings):
    """`ASTERISK_*`: the connector to Asterisk switches."""

    model_config = SettingsConfigDict(env_prefix="ASTERISK_")

    port: Port = 8605
    # which switches to log in to, such as deploy/asterisk.example.yaml; none: `floorwatch run` starts no such connector
    file: OptionalPath = None


class BrokerSettings(BaseSettings):
    """`BROKER_*`: the embedded broker that `floorwatch run` starts; and what else only `run` needs to know."""

    model_config = SettingsConfigDict(env_prefix="BROKER_", frozen=True, extra="ignore", populate_by_name=True)

    port: Port = 9392
    run_dir: Path = Field(RUN_DIR, validation_alias="FLOORWATCH_RUN_DIR")
    monitors: int = Field(1, ge=1, le=9, validation_alias="MONITOR_REPLICAS")  # hot replicas, 10 ports apart


OF_COMMANDS = frozenset({"FLOORWATCH_FEED_URL", "FLOORWATCH_TOKEN"})  # options of `floorwatch watch`

S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S], **values: Any) -> S:
    """The settings of `kind` from the environment; `values` go before it.

    Raises SettingsError with one line for each wrong variable, and for a secret's file that cannot be read.
    """
    try:
        return kind(**(_from_files(kind, os.environ) | values))
    except ValidationError as exc:
        raise SettingsError("\n".join(_explain(kind, error) for error in exc.errors())) from None


def variable(kind: type[BaseSettings], name: str) -> str:
    """The environment variable of field `name`: `variable(MonitorSettings, "port")` is `MONITOR_PORT`."""
    field = kind.model_fields[name]
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"{kind.model_config.get('env_prefix', '')}{name}".upper()


def port_of(kind: type[ServiceSettings]) -> int:
    """Where another service listens, if it has our environment. Its secrets are its own: their files need not be here.

    Raises SettingsError.
    """
    named = variable(kind, "port")
    value = os.environ.get(named, kind.model_fields["port"].default)
    try:
        return TypeAdapter(Port).validate_python(value)
    except ValidationError:
        raise SettingsError(f"{named}: expected a port, got {value!r}") from None


def given(kind: type[BaseSettings], name: str) -> bool:
    """Whether somebody set field `name`: by its variable or, if it is a secret, by the file that holds it."""
    named = variable(kind, name)
    return named in os.environ or (_is_secret(kind, name) and bool(os.environ.get(named + OF_FILE)))


def misspelled(names: Iterable[str]) -> dict[str, str]:
    """Of environment variables `names` those that look like settings of ours and are none, with the nearest one there is."""
    kinds = (
        *(IngestSettings, MonitorSettings, AlertsSettings, RelaySettings),
        *(SimulatorSettings, AsteriskSettings, BrokerSettings),
    )
    known = {variable(kind, field) for kind in kinds for field in kind.model_fields} | OF_COMMANDS
    known |= {
        variable(kind, field) + OF_FILE for kind in kinds for field in kind.model_fields if _is_secret(kind, field)
    }
    prefixes = (*(str(kind.model_config["env_prefix"]) for kind in kinds), "FLOORWATCH_", "AUTH_")
    prefixes += ("KAFKA_SASL_", "KAFKA_SSL_", "KAFKA_SECURITY_")  # others are Kafka's own programs'
    wrong = (name for name in names if name.startswith(prefixes) and name not in known)
    return {name: next(iter(get_close_matches(name, known, n=1)), "") for name in wrong}


def _is_secret(kind: type[BaseSettings], name: str) -> bool:
    return "SecretStr" in str(kind.model_fields[name].annotation)


def _from_files(kind: type[BaseSettings], environment: Mapping[str, str]) -> dict[str, str]:
    """Secrets of which a variable with `_FILE` says where they are. Raises SettingsError."""
    found: dict[str, str] = {}
    for name in kind.model_fields:
        named = variable(kind, name)
        file = environment.get(named + OF_FILE, "") if _is_secret(kind, name) else ""
        if not file:
            continue
        if environment.get(named):
            raise SettingsError(f"{named} and {named}{OF_FILE} are both set: one of them is enough")
        try:
            found[name] = Path(file).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = (exc.strerror or str(exc)) if isinstance(exc, OSError) else "it is not text"
            raise SettingsError(f"{named}{OF_FILE}: {file} cannot be read: {why}") from None
        if not found[name] and kind.model_fields[name].annotation is SecretStr:  # several may be none
            raise SettingsError(f"{named}{OF_FILE}: {file} is empty")
    return found


def _explain(kind: type[BaseSettings], error: Any) -> str:
    """`MONITOR_PORT: expected a valid integer, got 'x'`; a secret's value is not repeated."""
    place = str(error["loc"][0]) if error["loc"] else ""
    fields = {variable(kind, name): field for name, field in kind.model_fields.items()}
    named = variable(kind, place) if place in kind.model_fields else place.upper()
    field = fields.get(named)
    message = str(error["msg"]).replace("Input should be", "expected").replace("String should", "expected it to")
    message = (message[:1].lower() + message[1:]).partition(", unable to parse")[0]
    if field is not None and field.description and error["type"] == "string_pattern_mismatch":
        message = f"expected {field.description}"
    secret = field is not None and "SecretStr" in str(field.annotation)
    return f"{named}: {message}" if secret else f"{named}: {message}, got {error['input']!r}"

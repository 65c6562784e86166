"""The section `health` of the alert file: from when on a site's silence, a monitor's lag, or dead letters are trouble."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from services.alerts.core.sitehealth import Limits

if TYPE_CHECKING:
    from services.alerts.alertfile.receivers import Reading

Duration = str | int | float

LEAST: Final = timedelta(seconds=5)
WHY: Final = "a site on which nothing happens is heard once a second, and monitors say every 5 s how far they are"


class LettersConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """So many records that cannot be read, `within` so long."""

    count: int | None = None
    within: Duration = ""


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out is as for every site, or as the defaults have it. `never_heard`: `never` makes it no incident."""

    silent_after: Duration = ""
    never_heard: Duration = ""
    lag: Duration = ""
    dead_letters: LettersConfig = field(default_factory=LettersConfig)


class HealthConfig(LimitsConfig, frozen=True, forbid_unknown_fields=True):
    """For every site, and `sites`: by site what is different there."""

    sites: dict[str, LimitsConfig] = field(default_factory=dict)


class HealthLimits(Struct, frozen=True):
    """The limits in force."""

    everywhere: Limits = Limits()
    sites: dict[str, Limits] = {}

    def of(self, site: str) -> Limits:
        return self.sites.get(site, self.everywhere)


def read_health(config: HealthConfig, file: Reading) -> HealthLimits:
    """Checked, and what is not written by default. Raises SettingsError that names file, line and key."""
    everywhere = _limits(config, "health", Limits(), file)
    sites = {name: _limits(one, f"health.sites.{name}", everywhere, file) for name, one in config.sites.items()}
    return HealthLimits(everywhere, sites)


def _limits(one: LimitsConfig, key: str, above: Limits, file: Reading) -> Limits:
    letters = one.dead_letters
    if letters.count is not None and letters.count < 1:
        raise file.wrong(f"{key}.dead_letters.count", f"expected at least 1, got {letters.count}")
    never = one.never_heard == "never"
    return Limits(
        silent_after=_time(one.silent_after, f"{key}.silent_after", above.silent_after, file) or above.silent_after,
        never_heard=None if never else _time(one.never_heard, f"{key}.never_heard", above.never_heard, file),
        lag=_time(one.lag, f"{key}.lag", above.lag, file) or above.lag,
        letters=above.letters if letters.count is None else letters.count,
        within=_time(letters.within, f"{key}.dead_letters.within", above.within, file) or above.within,
    )


def _time(written: Duration, key: str, above: timedelta | None, file: Reading) -> timedelta | None:
    if written == "":
        return above
    found = file.duration(written, key)
    if found < LEAST:
        raise file.wrong(key, f"expected {LEAST.seconds} s at least: {WHY}, got {written!r}")
    return found

"""Every error Floorwatch raises on purpose.

FloorwatchError
├── SettingsError     a setting or a configuration file is wrong; says file, line and key
├── InvalidInput      a message from outside that cannot be used; goes to the dead-letter topic
├── BusError          the broker cannot be reached or refused
├── ProviderFault     the identity provider cannot be reached, or what it says cannot be used
└── StoreError        the database cannot be reached, is locked, or is of another version
"""

from __future__ import annotations


class FloorwatchError(Exception):
    """Base of all errors that are part of Floorwatch's contract."""


class SettingsError(FloorwatchError):
    """A setting or configuration file is wrong. The message names file, line (where known) and key."""


class InvalidInput(FloorwatchError):
    """A message from outside cannot be used.

    `reason` is a short stable word for metrics (`not_json`, `unknown_type`, ...); the message says what and where.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BusError(FloorwatchError):
    """The broker cannot be reached, or refused what was asked."""


class ProviderFault(FloorwatchError):
    """The identity provider cannot be reached, or what it says cannot be used."""


class StoreError(FloorwatchError):
    """The database cannot be reached, is locked by another process, or is of another version.

    The message is for logs and commands and says which database; `told` is for whoever only uses it.
    """

    def __init__(self, message: str, told: str = "") -> None:
        super().__init__(message)
        self.told = told or message


class OffsetLost(BusError):
    """The records to be read next are not there: retention removed them, or the topic was made anew."""

"""Every table of the alerts database, wherever it is declared: for migrations and their tests."""

from __future__ import annotations

import services.alerts.actions.tables
import services.alerts.health.tables
import services.alerts.periodic.tables
import services.alerts.publishing.tables
import services.alerts.reach.tables
import services.alerts.recorder.tables
import services.alerts.retention.tables
import services.alerts.silences.tables  # noqa: F401
from services.alerts.tables import METADATA

__all__ = ["METADATA"]

"""Reads a rule book from YAML; errors name file, line and key."""

from __future__ import annotations

from pathlib import Path

from services.monitor.core.rules.rulebook import RuleBook, RuleError, RuleFile, compile_rules
from shared.errors import SettingsError
from shared.yamlfile import load_checked


def load_rulebook(path: Path, *, setting: str = "") -> RuleBook:
    """The rule book in `path`, which is what the variable `setting` says. Raises SettingsError that names file, line and key."""
    config, where = load_checked(path, RuleFile, setting=setting)
    try:
        return compile_rules(config)
    except RuleError as exc:
        raise SettingsError(f"{where(exc.key)}: {exc}") from exc

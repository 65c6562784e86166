"""`floorwatch compare`: a summary beside figures that somebody else computed, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import SettingsError

MISSING: Final = "(missing)"


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not the same. `key` is the path to it, its parts joined by `/`."""

    key: str
    ours: Any
    expected: Any

    def __str__(self) -> str:
        return f"{self.key}: ours {_shown(self.ours)}, expected {_shown(self.expected)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`equal` counts single figures, those within dictionaries and lists."""

    equal: int
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        return f"{self.equal} figures equal, {len(self.differences)} differ"


def compare(ours: Any, expected: Any) -> Comparison:
    """Every figure that either has. Numbers are equal when their values are, 3 and 3.0 too; nothing is tolerated."""
    left, right = dict(_leaves(ours)), dict(_leaves(expected))
    keys = dict.fromkeys([*right, *left])
    differences = tuple(
        Difference(key, left.get(key, MISSING), right.get(key, MISSING))
        for key in keys
        if key not in left or key not in right or not _same(left[key], right[key])
    )
    return Comparison(len(keys) - len(differences), differences)


def _same(ours: Any, expected: Any) -> bool:
    if isinstance(ours, bool) or isinstance(expected, bool):
        return ours is expected
    return bool(ours == expected)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Single figures by their path; an empty dictionary or list is one too."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{path}/{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield from _leaves(one, f"{path}/{index}" if path else str(index))
    else:
        yield path, value


def _shown(value: Any) -> str:
    return value if value is MISSING else json.dumps(value, ensure_ascii=False)


def load(path: Path, key: str = "") -> Any:
    """The JSON in `path`, or what stands there under the path `key` (its parts joined by `/`). Raises SettingsError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise SettingsError(f"{path}: not JSON: {exc}") from exc
    for part in filter(None, key.split("/")):
        if not isinstance(value, dict) or part not in value:
            known = ", ".join(sorted(map(str, value))[:10]) if isinstance(value, dict) else "no keys"
            raise SettingsError(f"{path}: --key {key}: there is no {part!r}; there are {known}")
        value = value[part]
    return value

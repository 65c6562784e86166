"""Types of settings: how the text of a variable becomes a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

OF_FILE: Final = "_FILE"  # behind a secret's variable: where the secret is


def _words(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


def _nothing(value: Any) -> Any:
    return None if value == "" else value  # an empty variable is one that nobody set


def commas(value: Any) -> Any:
    """Parts of a text between commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Words = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_words)]
OptionalPath = Annotated[Path | None, BeforeValidator(_nothing)]
Numbers = Annotated[tuple[int, ...], NoDecode, BeforeValidator(commas)]
Seconds = Annotated[float, Field(gt=0)]

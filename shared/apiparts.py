"""What the HTTP APIs have in common: texts that come in, pages by number, structs that go out."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Response
from pydantic import AwareDatetime, BeforeValidator, StringConstraints

from shared.problems import Problem

NO_ZERO_BYTE: Final = r"^[^\x00]*$"  # PostgreSQL knows none
Name = Annotated[str, StringConstraints(max_length=200, pattern=NO_ZERO_BYTE)]  # of anything, also "" for none


def _as_written(value: Any) -> Any:
    """Refuse a bare number, which would be taken for seconds or milliseconds since 1970, whichever it looks like."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("expected a time such as 2026-11-22T09:00:00Z")
    return value


def no_truth(value: Any) -> Any:
    """For numbers of JSON, where `true` would be taken for 1. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_as_written)]  # RFC 3339, with its time zone
LocalMoment = Annotated[datetime, BeforeValidator(_as_written)]  # whoever reads it says what no time zone means

Limit = Annotated[int, Query(ge=1, le=500)]  # rows of a page
Cursor = Annotated[str, Query(description="`next` of the page before", max_length=30)]


def before_of(cursor: str) -> int | None:
    """The number in a `Cursor` that `next_of` gave; None for the first page. Raises Problem 400."""
    if cursor and not re.fullmatch(r"before-\d{1,9}", cursor):
        raise Problem(400, "cursor: not one that this service gave; leave it out for the first page")
    return int(cursor.removeprefix("before-")) if cursor else None


def next_of(number: int | None) -> str:
    """The cursor of the page behind the row with this number."""
    return f"before-{number}"


def json_answer(found: object, status: int = 200) -> Response:
    """`found`, of structs and what msgspec knows, as JSON."""
    return Response(msgspec.json.encode(found), status, media_type="application/json")

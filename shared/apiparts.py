"""What the HTTP APIs have in common: texts that come in, pages by number, structs that go out."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from fastapi import Query, Response
from pydantic import StringConstraints

from shared.problems import Problem

NO_ZERO_BYTE: Final = r"^[^\x00]*$"  # PostgreSQL knows none
Name = Annotated[str, StringConstraints(max_length=200, pattern=NO_ZERO_BYTE)]  # of anything, also "" for none

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

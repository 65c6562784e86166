"""Errors over HTTP: problem documents (RFC 9457, `application/problem+json`), the same for every service.

`type` is `about:blank` and `title` the status phrase unless an endpoint raises `Problem` with its own. Validation errors list
each wrong field under `errors`; an unexpected error says an id that is also in the log, and nothing of its inside.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

log = structlog.get_logger()


class Problem(HTTPException):
    """An error that an endpoint answers with; `more` are extension members of the document."""

    def __init__(self, status: int, detail: str, *, title: str = "", type_: str = "about:blank", **more: Any) -> None:
        super().__init__(status, detail)
        self.title = title
        self.type_ = type_
        self.more = more


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def problem_response(
    status: int,
    detail: str = "",
    *,
    title: str = "",
    type_: str = "about:blank",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> ProblemResponse:
    """The document for `status`; members without a value are left out."""
    body: dict[str, Any] = {"type": type_, "title": title or HTTPStatus(status).phrase, "status": status}
    if detail and detail != body["title"]:
        body["detail"] = detail
    return ProblemResponse(body | more, status, headers=headers)


def unexpected(path: str) -> ProblemResponse:
    """Log the exception being handled under a new id and answer 500 with that id."""
    error_id = str(uuid.uuid4())
    log.exception("unexpected error", path=path, error_id=error_id)
    detail = "this is a fault of the service; its log has the details under the id"
    return problem_response(500, detail, instance=f"urn:uuid:{error_id}")


def cut_short(path: str) -> ProblemResponse:
    """503 to a request that is given up because the service ends."""
    detail = "this service ends, and could not wait for the answer; look whether it was done before you ask again"
    return problem_response(503, detail, title="The service ends", instance=path, headers={"retry-after": "1"})


def _methods_of(request: Request) -> list[str]:
    """What some route takes at this path; the router itself tells of the first route alone."""
    methods: set[str] = set()
    for found in iter_route_contexts(request.app.routes):
        if found.path and found.methods and compile_path(found.path)[0].match(request.scope["path"]):
            methods |= set(found.methods)
    return sorted(methods)


def _nothing(_detail: str) -> dict[str, Any]:
    return {}


def install(app: FastAPI, also: Callable[[str], dict[str, Any]] = _nothing) -> None:
    """Answer every error of `app` with a problem document. (Unexpected ones are caught by `shared.http`.)

    `also`: members that follow from the words of `detail`, such as the same in another language.
    """

    async def http_error(request: Request, exc: Exception) -> ProblemResponse:
        assert isinstance(exc, HTTPException)
        own: dict[str, Any] = {"instance": request.url.path}
        headers = dict(exc.headers or {})
        if exc.status_code == 405 and (methods := _methods_of(request)):
            headers = {"Allow": ", ".join(methods)}
        if isinstance(exc, Problem):
            own |= {"title": exc.title, "type_": exc.type_, **also(str(exc.detail)), **exc.more}
        return problem_response(exc.status_code, str(exc.detail), headers=headers, **own)

    async def invalid(request: Request, exc: Exception) -> ProblemResponse:
        assert isinstance(exc, RequestValidationError)
        errors = [
            {"in": str(error["loc"][0]), "field": ".".join(map(str, error["loc"][1:])), "message": error["msg"]}
            for error in exc.errors()
        ]
        where = "; ".join(f"{error['field'] or error['in']}: {error['message']}" for error in errors)
        return problem_response(422, where, title="Invalid request", instance=request.url.path, errors=errors)

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)

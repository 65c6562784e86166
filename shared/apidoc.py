"""The OpenAPI document of a service as the service really answers.

FastAPI knows neither msgspec structs nor that errors here are problem documents: it promises its own form for a wrong
parameter. `describe` puts both right, and adds what a route answers to those who may not (`shared.auth.authed`).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

Responses = dict[int | str, dict[str, Any]]

_SCHEMAS: Final = "#/components/schemas/{name}"
_PROBLEM_TYPE: Final = "application/problem+json"
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457). Some carry more members, which their endpoint names.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what, where, and what to do"},
        "instance": {"type": "string", "description": "the path, or the id under which the log has more"},
        "errors": {
            "type": "array",
            "description": "each wrong field, when the request was invalid",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("in", "field", "message")},
            },
        },
    },
}


def answers(kind: type[msgspec.Struct], description: str, *, many: bool = False) -> Responses:
    """A route's 200 with this struct (or an array of it) as JSON; the app must be told of it by `describe`."""
    one = {"$ref": _SCHEMAS.format(name=kind.__name__)}
    schema = {"type": "array", "items": one} if many else one
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


def created(kind: type[msgspec.Struct], description: str) -> Responses:
    """The same as a route's 201."""
    return {201: answers(kind, description)[200]}


def problem(status: int, description: str) -> Responses:
    """A route's error."""
    return {status: {"description": description, "content": {_PROBLEM_TYPE: {"schema": {"type": "object"}}}}}


def describe(app: FastAPI, *structs: type[msgspec.Struct]) -> None:
    """Have the document tell of problem documents and of these structs."""
    _, parts = msgspec.json.schema_components(structs, ref_template=_SCHEMAS)
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas |= {**parts, "Problem": _PROBLEM}
        _add_refusals(app, document["paths"])
        for path in document["paths"].values():
            for operation in path.values():
                if "requestBody" in operation:
                    operation["responses"].setdefault("400", problem(400, "the body is no text in UTF-8")[400])
                _put_right(operation["responses"])
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def _add_refusals(app: FastAPI, paths: dict[str, Any]) -> None:
    """401, 403, 429 and 413 of each route that names a permission; there already where `describe` ran before."""
    for found in iter_route_contexts(app.routes):
        if not isinstance(found.original_route, APIRoute):
            continue
        needs = [one.call.permission for one in found.dependant.dependencies if hasattr(one.call, "permission")]
        for method in found.methods or () if needs else ():
            operation = paths.get(found.path or "", {}).get(method.lower())
            if operation is not None:
                unknown = "nobody is signed in; `reason`: missing, invalid, expired, revoked or unknown_user"
                refused = f"not allowed: it needs `{needs[0]}`"
                often = "more requests than one user may make in a minute; `Retry-After` says when to come back"
                refusals = problem(401, unknown) | problem(403, refused) | problem(429, often)
                if "requestBody" in operation:
                    refusals |= problem(413, "the body is longer than it may be here")
                for status, answer in refusals.items():
                    operation["responses"].setdefault(str(status), answer)


def _put_right(responses: dict[str, Any]) -> None:
    problem = {_PROBLEM_TYPE: {"schema": {"$ref": _SCHEMAS.format(name="Problem")}}}
    for status, response in responses.items():
        content = response.get("content", {})
        refs = content.get("application/json", {}).get("schema", {})
        if _PROBLEM_TYPE in content:
            response["content"] = problem
        elif status == "422" and refs.get("$ref", "").endswith("/HTTPValidationError"):
            response |= {"description": "a parameter or the body is wrong", "content": problem}

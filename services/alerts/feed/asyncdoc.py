"""The AsyncAPI document of the feed, made from the models that are on the wire: `/asyncapi.json`."""

from __future__ import annotations

import inspect
import re
from types import MappingProxyType
from typing import Any, Final, get_args

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from services.alerts.feed import messages
from services.alerts.feed.messages import Message

CLOSE_CODES: Final = MappingProxyType(
    {
        messages.BAD_MESSAGE: "the client said something; this feed only tells",
        messages.NOT_AUTHENTICATED: "not signed in: no token or ticket, one that is used or too old; or the token ended",
        messages.NOT_ALLOWED: "not allowed",
        messages.GOING_AWAY: "this instance of the service ends",
        messages.TOO_SLOW: "too slow; ask for the list anew",
        messages.PROVIDER_AWAY: "the token cannot be checked now: the identity provider does not answer",
        messages.TOO_MANY_CONNECTIONS: "too many connections of this user",
        messages.AUTHORISATION_CHANGED: "what its user may see has changed: come with a new ticket",
    }
)
_KINDS: Final[tuple[type[Message], ...]] = get_args(messages.ServerMessage)


def document(version: str, host: str, *, tls: bool = False) -> dict[str, Any]:
    """The document, for a service that is reached at `host` (`127.0.0.1:8602`)."""
    _, found = models_json_schema(
        [(kind, "serialization") for kind in _KINDS], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Floorwatch incidents",
            "version": version,
            "description": "Incidents as they change, over a WebSocket as JSON text frames. docs/alerts.md explains it.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "alerts": {
                "host": host,
                "protocol": "wss" if tls else "ws",
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("bearer", "ticket")],
            }
        },
        "channels": {"feed": _channel()},
        "operations": {
            "told": {
                "action": "send",
                "channel": {"$ref": "#/channels/feed"},
                "summary": "What the service sends.",
                "messages": [{"$ref": f"#/channels/feed/messages/{_name(kind)}"} for kind in _KINDS],
            }
        },
        "components": {
            "messages": {_name(kind): _message(kind) for kind in _KINDS},
            "schemas": found["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "For programs."},
                "ticket": {
                    "type": "httpApiKey",
                    "name": "ticket",
                    "in": "query",
                    "description": "For browsers: from POST /api/v1/tickets, good for one connection within 30 s.",
                },
            },
        },
    }


def _channel() -> dict[str, Any]:
    return {
        "address": "/api/v1/feed",
        "title": "feed",
        "description": "`hello` comes first; then ask the API for the list, and keep it by what follows.",
        "messages": {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in _KINDS},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"ticket": {"type": "string"}}},
                "bindingVersion": "0.1.0",
            }
        },
        "x-close-codes": [
            {"code": code, "meaning": meaning, "reconnect": messages.comes_back(code)}
            for code, meaning in CLOSE_CODES.items()
        ],
    }


def _message(kind: type[Message]) -> dict[str, Any]:
    return {
        "name": _name(kind),
        "title": _name(kind),
        "summary": re.sub(r"\s+", " ", inspect.getdoc(kind) or ""),
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _name(kind: type[Message]) -> str:
    return str(kind.model_fields["type"].default)


router = APIRouter()


@router.get(
    "/asyncapi.json",
    tags=["documents"],
    response_class=JSONResponse,
    responses={200: {"description": "AsyncAPI 3.0", "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def asyncapi(request: Request) -> JSONResponse:
    """The AsyncAPI 3.0 document of the feed: every message, every field, every close code."""
    host = request.headers.get("host", "127.0.0.1:8602")
    return JSONResponse(document(request.app.version, host, tls=request.url.scheme == "https"))

"""The AsyncAPI document of the feed, made from the structs that are on the wire: `/asyncapi.json`."""

from __future__ import annotations

import inspect
import re
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import Struct

from services.monitor.core import views
from services.monitor.feed import messages

CLOSE_CODES: Final = MappingProxyType(
    {
        messages.BAD_MESSAGE: "a message could not be read; the reason says which part",
        messages.NOT_AUTHENTICATED: "not signed in: no token or ticket, or one that is used, too old or unknown",
        messages.NOT_ALLOWED: "not allowed",
        messages.TOO_MANY_MESSAGES: "too many messages, or frames of any kind",
        messages.GOING_AWAY: "this monitor ends",
        messages.TOO_SLOW: "too slow; the reason says from which position to resume",
        messages.PROVIDER_AWAY: "the token cannot be checked now: the identity provider does not answer",
        messages.TOO_MANY_CONNECTIONS: "too many connections of this user, or too many different filters",
        messages.AUTHORISATION_ENDED: "the token ended, or what its user may see changed: come with a new ticket",
    }
)
_VALUES: Final = {
    "site": views.SiteView,
    "queue": views.QueueView,
    "agent": views.AgentView,
    "call": views.CallView,
    "transfer": views.TransferView,
    "flag": views.FlagView,
}
_SCHEMAS: Final = "#/components/schemas/{name}"


def comes_back(code: int) -> bool:
    """Whether a client that was closed with `code` shall reconnect by itself."""
    return code >= 4500


def document(version: str, host: str, *, tls: bool = False) -> dict[str, Any]:
    """The document, for a monitor that is reached at `host` (`127.0.0.1:8600`)."""
    sent, received = get_args(messages.ServerMessage), get_args(messages.ClientMessage)
    _, schemas = msgspec.json.schema_components((*sent, *received, *_VALUES.values()), ref_template=_SCHEMAS)
    schemas["Change"] = _change(schemas["Change"])
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Floorwatch feed",
            "version": version,
            "description": "The floor as it changes: a snapshot, then deltas, over a WebSocket as JSON text frames. "
            "docs/feed.md explains it and has a client in twenty lines.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "monitor": {
                "host": host,
                "protocol": "wss" if tls else "ws",
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("bearer", "ticket")],
            }
        },
        "channels": {"feed": _channel((*sent, *received))},
        "operations": {
            "told": _operation("send", "What the monitor sends.", sent),
            "asked": _operation("receive", "What a client may send.", received),
        },
        "components": {
            "messages": {_name(kind): _message(kind) for kind in (*sent, *received)},
            "schemas": schemas,
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


def _channel(kinds: tuple[type[Struct], ...]) -> dict[str, Any]:
    return {
        "address": "/api/v1/feed",
        "title": "feed",
        "description": "`hello` comes first; then `subscribe` or `resume` is answered, and deltas and clocks follow.",
        "messages": {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in kinds},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"ticket": {"type": "string"}}},
                "bindingVersion": "0.1.0",
            }
        },
        "x-close-codes": [
            {"code": code, "meaning": meaning, "reconnect": comes_back(code)} for code, meaning in CLOSE_CODES.items()
        ],
    }


def _operation(action: Literal["send", "receive"], summary: str, kinds: tuple[type[Struct], ...]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/feed"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/feed/messages/{_name(kind)}"} for kind in kinds],
    }


def _message(kind: type[Struct]) -> dict[str, Any]:
    return {
        "name": _name(kind),
        "title": _name(kind),
        "summary": re.sub(r"\s+", " ", inspect.getdoc(kind) or "") if kind.__doc__ else "",
        "payload": {"$ref": _SCHEMAS.format(name=kind.__name__)},
    }


def _name(kind: type[Struct]) -> str:
    return str(kind.__struct_config__.tag)


def _change(schema: dict[str, Any]) -> dict[str, Any]:
    """A change with what its value is for each kind; the struct itself holds bytes that are encoded already."""
    key, kind = schema["properties"]["key"], schema["properties"]["kind"]
    return {
        "title": "Change",
        "description": "The last value of one entity; null: it is gone, or not to be seen any more.",
        "type": "object",
        "required": ["kind", "key", "value"],
        "properties": {"kind": kind, "key": key | {"description": "the site's name, or site/id"}, "value": {}},
        "oneOf": [
            {
                "properties": {
                    "kind": {"const": name},
                    "value": {"oneOf": [{"type": "null"}, {"$ref": _SCHEMAS.format(name=view.__name__)}]},
                }
            }
            for name, view in _VALUES.items()
        ],
    }


def router() -> APIRouter:
    """The route that serves it."""
    routes = APIRouter()

    form = {"description": "AsyncAPI 3.0", "content": {"application/json": {"schema": {"type": "object"}}}}

    @routes.get("/asyncapi.json", tags=["documents"], response_class=JSONResponse, responses={200: form})
    async def asyncapi(request: Request) -> JSONResponse:
        """The AsyncAPI 3.0 document of the feed: every message, every field, every close code."""
        host = request.headers.get("host", "127.0.0.1:8600")
        return JSONResponse(document(request.app.version, host, tls=request.url.scheme == "https"))

    return routes

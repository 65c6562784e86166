"""Structured logs: lines for people on a terminal, JSON lines otherwise. Secrets and callers' numbers never reach either.

Standard fields: `service`, `site`, `topic`, `partition`, `offset`. `structlog.get_logger()` in any module; what other
libraries log through `logging` comes out the same way.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from shared.masking import masked_field
from shared.settings import LogFormat, LogLevel

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(r"passw|secret|token|authorization|cookie|credential|api_?key|notify_url", re.IGNORECASE)
_STAMPS = frozenset({"timestamp", "error_id"})
_URL_PASSWORD = re.compile(r"(\w://[^\s:/@]*:)[^\s/@]+(?=@)")
# a name ends at the next `?` and is looked through once, or a long text would take the square, even the cube of its length
_QUERY_SECRET = re.compile(r"([?&](?=[^=&?\s]*(?:passw|secret|token|ticket|key))[^=&?\s]*=)[^&\s\"']+", re.IGNORECASE)
SELDOM_S = 10.0  # a library that cannot reach something says so ten times a second; once in this time is enough

_CHATTY = ("aiokafka", "aiosqlite", "alembic", "apprise", "asyncio", "httpx", "uvicorn")


def configure(service: str, *, level: LogLevel = "info", fmt: LogFormat = "auto") -> None:
    """Set up logging of this process: to stderr, every line with `service`. Called once, in `main`."""
    people = sys.stderr.isatty() if fmt == "auto" else fmt == "console"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _adding(service),
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # a traceback becomes text without local variables, which hold secrets, and is cleaned after that
    tail: list[Any]
    if people:
        tail = [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    else:
        tail = [
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_ours_or_a_warning)
    handler.addFilter(_Seldom())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _ours_or_a_warning(record: logging.LogRecord) -> bool:
    """What libraries find worth saying below a warning are addresses, with whatever secret is in their paths."""
    return record.levelno >= logging.WARNING or hasattr(record, "_logger")  # which structlog's records have


class _Seldom(logging.Filter):
    """Lets through one line of a chatty library's logger and level in `SELDOM_S`, with how many it held back."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int], tuple[float, int]] = {}  # bounded by the number of loggers

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _CHATTY:
            return True
        key = (record.name, record.levelno)
        last, held = self._last.get(key, (float("-inf"), 0))
        if record.created - last < SELDOM_S:
            self._last[key] = (last, held + 1)
            return False
        if held:
            # not in brackets: behind a port at a line's end the two would look like one caller's number, and be hidden
            record.msg = f"{record.getMessage()}; {held} more lines like this were left out"
            record.args = ()
        self._last[key] = (record.created, 0)
        return True


def _adding(service: str) -> Any:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return add


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values of secret-sounding keys, passwords in URLs and secrets in queries become a mark; of
    what could be a caller's number the last four digits stay. Numbers that are numbers, such as offsets, stay."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value) if key in _STAMPS else masked_field(key, redact_text(value))
    if isinstance(value, Mapping):
        return {str(k): _clean(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, item) for item in value]
    return value


def redact_text(text: str) -> str:
    """`text` without passwords in URLs and secrets in query strings."""
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\1***", text)
    return _QUERY_SECRET.sub(r"\1***", text) if "=" in text else text

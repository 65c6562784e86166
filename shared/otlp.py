"""Spans over OTLP/HTTP, by OpenTelemetry's own library (the extra `otel`): in batches, from a thread; what does not fit into its
queue of 2048 is dropped, so that a collector that is slow or away costs no board anything.

Headers, certificates and so on are taken from the standard's variables (`OTEL_EXPORTER_OTLP_HEADERS`, …).
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared.spans import Span

TIMEOUT_S: Final = 5.0  # of one batch
END_S: Final = 2.0  # for what waits when the process ends
_EVERY_MS: Final = 1000.0
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


def sender(service: str, endpoint: str) -> Callable[[Span], None]:
    """What sends spans to `endpoint` (`http://127.0.0.1:4318/v1/traces`). What waits at the end of the process is sent then."""
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S), schedule_delay_millis=_EVERY_MS
    )
    atexit.register(_end, processor)
    logging.getLogger("opentelemetry.exporter").setLevel(
        logging.ERROR
    )  # an attempt is a warning, a lost batch an error
    resource = Resource.create({"service.name": f"floorwatch-{service}", "service.version": version("floorwatch")})
    scope = InstrumentationScope("floorwatch", version("floorwatch"))

    def send(span: Span) -> None:
        processor.on_end(
            ReadableSpan(
                span.name,
                _context(span.trace, span.id),
                _context(span.trace, span.parent, remote=True) if span.parent else None,
                resource,
                span.attributes,
                kind=SpanKind.INTERNAL,
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=_nanoseconds(min(span.start, span.end)),
                end_time=_nanoseconds(span.end),
                instrumentation_scope=scope,
            )
        )

    return send


def _end(processor: BatchSpanProcessor) -> None:
    """Send what waits, but not for long: at a collector that is away the library tries on and on."""
    sending = Thread(target=processor.shutdown, daemon=True)
    sending.start()
    sending.join(END_S)


def _context(trace: str, step: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(int(trace, 16), int(step, 16), remote, _SAMPLED)


def _nanoseconds(when: datetime) -> int:
    return round(when.timestamp() * 1e6) * 1000

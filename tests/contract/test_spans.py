"""Spans of a transfer that took too long, from the switch's word to the message, at a collector that decodes what it is sent."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Told

from services.ingest.trail import Trail
from services.monitor import trail
from shared import events, spans
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.errors import SettingsError
from shared.memorybus import MemoryBus
from shared.settings import MonitorSettings
from shared.topics import FLOOR_FLAGS
from shared.tracing import trace_id
from tests.alertskit import TOPICS, running
from tests.floorkit import SITE, event
from tests.sinks import HttpSink, listening
from tests.unit.test_tracing import flags_of_a_slow_transfer
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
TRACE = trace_id(SITE, 0, 7)


class Collector:
    def __init__(self) -> None:
        self.came: list[ResourceSpans] = []
        found = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                found.came += ExportTraceServiceRequest.FromString(body).resource_spans
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    @property
    def spans(self) -> list[Told]:
        return [span for one in self.came for scope in one.scope_spans for span in scope.spans]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Collector()
    thread = Thread(target=made.server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        spans.use(None)
        made.server.shutdown()
        made.server.server_close()
        thread.join()


async def test_a_transfer_leads_from_its_record_to_its_message(collector: Collector, alerts_db: Database) -> None:
    spans.configure("test", MonitorSettings(otlp_endpoint=collector.url, otlp_events=1.0))
    heard = events.TransferRequested(transfer_id="t1", call_id="c1", from_agent="a1", kind="blind")
    Trail(SystemClock()).translated([event(1, heard, 7)])
    flags = flags_of_a_slow_transfer()
    trail.tell(flags, "a", SystemClock())
    bus, sink = MemoryBus(), HttpSink()
    await bus.create(TOPICS)
    async with listening(sink), running(bus, alerts_db, notify_urls=(sink.url,)):
        for one in flags:
            await bus.publish(FLOOR_FLAGS, encode(one), key=SITE, headers=(("kind", b"flag"),))
        await until(lambda: any(one.name == "message sent" for one in collector.spans), "the message has its span")
        await until(lambda: any(one.name == "incident flag_cleared" for one in collector.spans), "and the end")
    assert {one.trace_id.hex() for one in collector.spans} == {TRACE}
    names = {one.span_id: one.name for one in collector.spans}
    assert {(one.name, names.get(one.parent_span_id, "")) for one in collector.spans} == {
        ("switch.raw", ""),
        ("transfer_requested", "switch.raw"),
        ("flag raised", "switch.raw"),
        ("flag cleared", "switch.raw"),
        ("incident opened", "flag raised"),
        ("incident flag_cleared", "flag cleared"),
        ("message sent", "incident opened"),
    }
    (raised,) = [one for one in collector.spans if one.name == "flag raised"]
    assert (raised.end_time_unix_nano - raised.start_time_unix_nano) // 1_000_000 == 7000, "so long it had to hold"
    about = {one.key: one.value.string_value for one in collector.came[0].resource.attributes}
    assert about["service.name"] == "floorwatch-test"


def test_of_records_a_share_is_told_and_the_same_ones_everywhere() -> None:
    try:
        for share in (0.0, 0.01, 0.5, 1.0):
            spans.use(lambda _: None, share)
            found = [offset for offset in range(20_000) if spans.sampled(trace_id("hq", 2, offset))]
            assert abs(len(found) / 20_000 - share) < 0.01
            assert spans.records_wanted() is (share > 0)
        assert not spans.sampled(""), "what goes back to no record"
    finally:
        spans.use(None)
    assert not spans.wanted()


def test_what_is_missing_for_it_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shared.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(SettingsError, match=r"FLOORWATCH_OTLP_ENDPOINT: set, but .* is missing: pip install 'floorw"):
        spans.configure("monitor", MonitorSettings(otlp_endpoint="http://127.0.0.1:1/v1/traces"))

"""The connections page in a real browser, on the real service."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from playwright.async_api import Page, expect
from prometheus_client import CollectorRegistry

from services.ingest.app import Ingest
from shared import topics
from shared.clock import SystemClock
from shared.memorybus import MemoryBus
from shared.ports import listen
from shared.settings import IngestSettings
from shared.siteconfig import Sites
from tests.browser.conftest import Viewer
from tests.ingestkit import cloud

pytestmark = pytest.mark.asyncio(loop_scope="package")


@dataclass
class Connections:
    """A service and its page."""

    url: str
    page: Page
    server: uvicorn.Server

    async def post(self, path: str, body: bytes | str) -> None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            response = await client.post(path, content=body)
            assert response.status_code == 202, response.text


@contextlib.asynccontextmanager
async def connections(viewer: Viewer, path: str = "/") -> AsyncIterator[Connections]:
    clock = SystemClock()
    bus = MemoryBus(clock)
    await bus.create(topics.ALL)
    ingest = Ingest(IngestSettings(), bus, bus, clock, Sites(), CollectorRegistry())
    server = uvicorn.Server(uvicorn.Config(ingest.app(), host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    sock = listen("127.0.0.1", 0, setting="")
    work = (ingest.pump.run(), ingest.dead_letters.run(), server.serve(sockets=[sock]))
    *tasks, serving = [asyncio.create_task(one) for one in work]
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    page = await viewer.open(url + path)
    try:
        yield Connections(url, page, server)
    finally:
        await page.close()
        for task in tasks:
            task.cancel()
        server.should_exit = True
        await asyncio.wait([*tasks, serving])
        sock.close()


async def test_the_example_works_as_it_is_pasted(viewer: Viewer) -> None:
    async with connections(viewer) as shown:
        page = shown.page
        await expect(page.get_by_text("Nothing has been written to switch.raw yet")).to_be_visible()
        await page.get_by_label("Site").fill("north'; rm -rf /")
        command = await page.locator("#feed-example").text_content()
        words = shlex.split(command or "")
        assert words[:3] == ["curl", "-X", "POST"]
        assert words[3] == f"{shown.url}/api/v1/raw/northrm-rf?connector=pbx-a"
        await shown.post(words[3].removeprefix(shown.url), words[-1])
        row = page.locator("#source-rows tr")
        await expect(row).to_contain_text("northrm-rf")
        await expect(row.locator(".badge")).to_have_text("Up")
        await expect(page.get_by_text("1 of 1 heard")).to_be_visible()


async def test_what_could_not_be_used_is_shown_and_stays_text(viewer: Viewer) -> None:
    async with connections(viewer, "/?lang=zh-CN") as shown:
        await expect(shown.page.get_by_text("没有：收到的内容全部可用。")).to_be_visible()
        await shown.post("/api/v1/raw/hq", '{"type": "<img src=x onerror=alert(1)>"}')
        row = shown.page.locator("#dead-rows tr")
        await expect(row).to_contain_text("unknown_type")
        await expect(row).to_contain_text("<img src=x onerror=alert(1)>")
        await expect(row).to_contain_text("switch.raw[0]@0")
        await row.locator("summary").click()
        await expect(row.locator("pre")).to_have_text('{"type": "<img src=x onerror=alert(1)>"}')


async def test_a_site_that_never_said_link_up_says_what_to_do(viewer: Viewer) -> None:
    async with connections(viewer) as shown:
        event = cloud("agent_ready", {"agent_id": "7"})
        await shown.post("/api/v1/raw/hq", httpx.Request("POST", shown.url, json=event).content)
        row = shown.page.locator("#source-rows tr")
        await expect(row.locator(".badge")).to_have_text("Never up")
        await expect(row).to_contain_text("send floorwatch.link_up.v1")


async def test_a_service_that_is_gone_is_said(viewer: Viewer) -> None:
    async with connections(viewer) as shown:
        await expect(shown.page.locator(".connection")).to_have_text("Live")
        shown.server.should_exit = True
        await expect(shown.page.get_by_text("Ingest does not answer")).to_be_visible()
        await expect(shown.page.locator(".connection")).to_have_text("Disconnected")
    viewer.complaints.clear()  # the browser's own, about the requests that failed

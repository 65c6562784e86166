"""What the service answers for pages: in both languages what people read, and sites by their name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.clock import FakeClock
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, publish, running
from tests.flagkit import T0, flag
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

FILE = """
receivers:
  desk: {notify: ["json://127.0.0.1:9/x"]}
  unused: {notify: ["json://127.0.0.1:9/y"]}
routes: {receiver: desk, wait: 20s}
"""


async def test_what_is_wrong_with_the_file_is_said_in_both_languages(alerts_db: Database, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(FILE, encoding="utf-8")
    async with running(MemoryBus(), alerts_db, clock=FakeClock(T0), file=file) as alerts:
        (warning,) = (await alerts.get("/routing"))["warnings"]
        assert warning == {
            "en": f"{file}:4: receivers.unused: no route and no step names it, so nobody is told through it",
            "zh": f"{file}:4: receivers.unused：没有任何路由或升级步骤用到它，不会有人通过它收到通知",
        }
        assert (await alerts.get("/status"))["file_error"] is None

        file.write_text(FILE.replace("20s", "soon"), encoding="utf-8")
        await alerts.service.in_force.reload()
        error = (await alerts.get("/status"))["file_error"]
        assert error["en"].startswith(f"{file}:5: routes.wait: expected a duration such as")
        assert error["zh"].startswith(f"{file}:5: routes.wait：应为时长")
        assert (await alerts.get("/routing"))["file_error"] == error


async def test_a_refusal_has_its_chinese_beside_it(alerts_db: Database) -> None:
    async with running(MemoryBus(), alerts_db, clock=FakeClock(T0)) as alerts:
        refused: dict[str, Any] = await alerts.post("/silences/preview", {"matchers": {"queue": ["!a", "b"]}}, 422)
        assert refused["detail"] == "matchers: queue: expected all values with ! or none of them, got !a, b"
        assert refused["detail_zh"] == "matchers: queue：各值应全部带 ! 或全部不带，实为 !a, b"
        assert "detail_zh" not in await alerts.get("/notifications?cursor=none", 400)  # nobody types that


async def test_an_incident_has_its_sites_name(alerts_db: Database) -> None:
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with running(bus, alerts_db, clock=FakeClock(T0)) as alerts:
        await publish(bus, flag(), flag("f2", "t2", site="nowhere"))
        await until(lambda: alerts.metric("alerts_incidents_total", severity="critical") == 2)
        labels = {one["site"]: one["site_label"] for one in await alerts.incidents()}
        assert labels == {"s1": "First floor", "nowhere": "nowhere"}
        assert (await alerts.get("/incidents/1"))["incident"]["site_label"] == "First floor"

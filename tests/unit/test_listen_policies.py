"""The policy of listening is what the sites file says now, also for listens that go on; a broken file changes nothing."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.monitor.listen.policies import LivePolicies
from shared.db import Database
from shared.sites import load_sites
from tests.floorkit import SITE
from tests.listenkit import listening
from tests.monitordb import empty_monitor_db, monitor_db

__all__ = ["empty_monitor_db", "monitor_db"]

FILE = f"sites:\n  {SITE}:\n    time_zone: Asia/Shanghai\n    listening: {{max_s: 600, rules: [%s]}}\n"
ANYBODY = "{roles: [inspector]}"


def write(folder: Path, rules: str, more: str = "") -> Path:
    path = folder / "sites.yaml"
    path.write_text(FILE % rules + more, encoding="utf-8")
    return path


def test_a_changed_file_is_taken_over_and_the_log_says_what_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, ANYBODY)
    registry = CollectorRegistry()
    policies = LivePolicies(load_sites(path), registry)
    with capture_logs() as logs:
        policies.look(path)
        policies.look(path)
    assert logs == []
    write(tmp_path, "{roles: [supervisor]}")
    with capture_logs() as logs:
        policies.look(path)
    assert [(one["event"], one.get("changed")) for one in logs] == [("policies of listening reloaded", [SITE])]
    assert policies.site(SITE).listening.rules[0].roles == ("supervisor",)
    write(tmp_path, "{roles: [nobody]}")
    with capture_logs() as logs:
        policies.look(path)
        policies.look(path)
    assert [one["log_level"] for one in logs] == ["error"]
    assert "nobody" in logs[0]["why"]
    assert policies.site(SITE).listening.rules[0].roles == ("supervisor",)
    assert registry.get_sample_value("monitor_listen_policy_reload_failures_total") == 1
    path.unlink()
    policies.look(path)
    write(tmp_path, "{roles: [supervisor]}", "    label: Another\n")
    with capture_logs() as logs:
        policies.look(path)
    assert [(one["event"].split(":")[0], one.get("sites")) for one in logs] == [("sites file changed", [SITE])]


async def test_a_listen_that_goes_on_is_asked_about_by_the_new_policy(monitor_db: Database, tmp_path: Path) -> None:
    async with listening(monitor_db) as floor:
        policies = floor.listening.sites
        policies.look(write(tmp_path, ANYBODY))
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        policies.look(write(tmp_path, "{roles: [inspector], purposes: [complaint]}"))
        await floor.pass_time(2)
        assert floor.order(asked["listen_id"]).reason == "not_allowed"
        assert (await floor.detail(asked["listen_id"], "ended"))["detail"] == "purpose"
        assert (await floor.ask(403, call_id="c"))["policy"] == "purpose"

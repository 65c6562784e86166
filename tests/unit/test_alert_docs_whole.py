"""docs/alerts.md and reports.md name every key, setting, figure and route of the alerts service, and none that is not there."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
import typer
from fastapi import FastAPI

from floorwatch.cli import app as commands
from services.alerts.alertfile import health, receivers
from services.alerts.app import AlertsService
from services.alerts.core.telling import Reason
from services.alerts.periodic.configured import ReportConfig
from shared.clock import SystemClock
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.settings import ROOT, AlertsSettings, ServiceSettings, load
from tests.alertskit import SITES

PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
PAGES["README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
ALERTS, REPORTS = PAGES["alerts.md"], PAGES["reports.md"]
OURS = (ALERTS, REPORTS, (ROOT / "deploy" / "alerts.yaml").read_text(encoding="utf-8"), PAGES["README.md"])
EVERY_SERVICES = re.compile(
    r"/api/v1/(session|me|tickets)|/healthz|/readyz|/metrics"
)  # docs/security.md, architecture.md


def section(name: str) -> str:
    return ALERTS.split(f"\n## {name}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> AlertsService:
    database = Database(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('docs') / 'a.db'}")
    return AlertsService(load(AlertsSettings), bus=MemoryBus(), database=database, clock=SystemClock(), sites=SITES)


@pytest.fixture(scope="module")
def app(service: AlertsService) -> FastAPI:
    return service.app()


def test_every_figure_is_named_and_no_other(service: AlertsService) -> None:
    found = {m.name + "_total" if m.type == "counter" else m.name for m in service.registry.collect()}
    ours = {name for name in found if name.startswith("alerts_")}
    assert len(ours) > 25
    assert {name for name in ours if f"`{name}" not in section("Settings and figures")} == set()
    named = {name for text in (*PAGES.values(),) for name in re.findall(r"`(alerts_[a-z_]+)[`{]", text)}
    assert named - ours == set()


def test_every_route_is_named_and_no_other(app: FastAPI) -> None:
    there = {
        f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if not EVERY_SERVICES.fullmatch(path)
    }
    written = "\n".join((section("The API"), section("The feed"), REPORTS)).replace(
        " …/", " /api/v1/incidents/{number}/"
    )
    named = {
        f"{method} {path}"
        for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) (/api/[^?` ]+|/asyncapi.json)", written)
    }
    assert there - named - {"GET /asyncapi.json"} == set()
    assert named - there - {"GET /asyncapi.json", "POST /api/v1/tickets"} == set()


def test_every_setting_is_named_with_its_default_and_no_other() -> None:
    rows = re.findall(r"^\| (`ALERTS_.*?) \| (.*?) \|", section("Settings and figures"), re.MULTILINE)
    written = {
        name: default.strip().strip("`")
        for names, defaults in rows
        for name, default in zip(names.replace("`", "").split(", "), defaults.split(", "), strict=True)
    }
    own = AlertsSettings.model_fields.keys() - ServiceSettings.model_fields.keys()
    own |= {"host", "port", "shutdown_s"}
    assert written.keys() == {f"ALERTS_{name.upper()}" for name in own}
    for name in own:
        default = AlertsSettings.model_fields[name].default
        if isinstance(default, int | float):
            assert float(written[f"ALERTS_{name.upper()}"]) == default, name
    all_named = {name for text in OURS for name in re.findall(r"\bALERTS_[A-Z_]+\b", text)}
    assert all_named - {f"ALERTS_{name.upper()}" for name in AlertsSettings.model_fields} == set()


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        (health.LimitsConfig, "Health of sites"),
        (health.LettersConfig, "Health of sites"),
        (receivers.WebhookConfig, "The alert file"),
        (receivers.AlertmanagerConfig, "The alert file"),
        (receivers.LimitConfig, "The alert file"),
        (ReportConfig, "The alert file"),
    ],
)
def test_every_key_of_a_part_is_named(kind: Any, where: str) -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(kind)}
    assert {key for key in keys if not re.search(rf"\b{key}\b", section(where))} == set()
    if kind is ReportConfig:
        assert {key for key in keys if f"| `{key}` |" not in REPORTS} == set()


def test_every_reason_to_tell_is_named() -> None:
    reasons = {one.value for one in Reason if one is not Reason.NONE}
    assert {one for one in reasons if f"`{one}`" not in section("How an incident lives")} == set()


def test_commands_and_their_options_are_there() -> None:
    root: Any = typer.main.get_command(commands)
    shown = 0
    for text in OURS:
        for line in re.findall(r"floorwatch\s+((?:alerts|report)\s[^`\n#]*)", text):
            words = line.split()
            found: Any = root.commands[words[0]]
            if words[0] == "alerts":
                found = found.commands[words[1]]
            options = {name for one in found.params for name in one.opts}
            assert {word.strip("[].,") for word in words if word.startswith(("--", "[--"))} <= options, line
            shown += 1
    assert shown > 10


def test_every_link_between_the_pages_leads_somewhere() -> None:
    anchors = {
        name: {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        for name, text in PAGES.items()
    }
    broken = [
        (name, file, anchor)
        for name, text in PAGES.items()
        for file, anchor in re.findall(r"\]\((?:docs/)?([a-z-]*\.md|)(?:#([^)]*))?\)", text)
        if (file or name) not in anchors or (anchor and anchor not in anchors[file or name])
    ]
    assert broken == []

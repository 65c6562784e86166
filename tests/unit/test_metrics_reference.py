"""Metrics of all services: named by convention, few labels, there from the start; the documents name those that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from shared.settings import ROOT
from tests.metricskit import FROM_OUTSIDE
from tools.metrics import PAGE, SERVICES, families, registries, render

PREFIXES = (*SERVICES, "auth", "floorwatch", "http", "process", "pump")
LABELS = FROM_OUTSIDE | {
    *("action", "answer", "code", "effect", "how", "kind", "le", "link", "outcome", "pump", "reason", "service"),
    *("severity", "state", "table", "vendor", "what", "where", "why"),
}
COUNTS = re.compile(rf"`((?:{'|'.join(PREFIXES)})_[a-z0-9_]+?)(?:\{{[^`]*\}})?`")
NOT_METRICS = {"alerts_test", "pump_live", "pump_restored", "pump_waiting_for_broker", "floor_events"}


@pytest.fixture(scope="module")
def all_registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CollectorRegistry]]:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return registries(tmp_path_factory.mktemp("metrics"))


def test_the_page_is_what_the_services_have() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool (apt-get install prometheus)")
@pytest.mark.parametrize("service", SERVICES)
def test_promtool_finds_nothing_to_say_of_names_and_helps(
    all_registries: dict[str, CollectorRegistry], service: str
) -> None:
    text = generate_latest(all_registries[service])
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_names_begin_with_their_part_and_labels_are_few() -> None:
    for service, found in families().items():
        for one in found:
            assert one.name.startswith(tuple(f"{prefix}_" for prefix in PREFIXES)), f"{service}: {one.name}"
            assert len(one.labels) <= 3, one.name
            assert set(one.labels) <= LABELS, f"{service}: {one.name} {one.labels}"
            assert not re.search(r"_(ms|us|ago|min|kb|percent)(_|$)", one.name), f"{one.name}: no base unit"
            assert one.text, one.name


def test_every_value_of_a_label_of_ours_is_there_from_the_start(
    all_registries: dict[str, CollectorRegistry],
) -> None:
    for service, registry in all_registries.items():
        for metric in registry.collect():
            labels = set(getattr(metric, "_labelnames", ())) | {name for one in metric.samples for name in one.labels}
            if not labels & FROM_OUTSIDE:
                assert metric.samples, f"{service}: {metric.name} has no sample before something happens"


def test_documents_name_metrics_that_there_are() -> None:
    known = {name for found in families().values() for one in found for name in (one.name, *one.series)}
    for path in sorted((ROOT / "docs").glob("*.md")):
        for name in COUNTS.findall(path.read_text(encoding="utf-8")):
            if _is_meant_as_a_metric(name):
                assert name in known, f"{path.name} names `{name}`, which no service has"


def _is_meant_as_a_metric(name: str) -> bool:
    units = ("_total", "_seconds", "_records", "_bytes", "_up", "_ready", "_info", "_timestamp_seconds")
    return name not in NOT_METRICS and name.endswith(units)

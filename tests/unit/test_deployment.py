"""What deploy/ ships for hosts, containers and clusters: settings that there are, files that can be read, few rights.

Schemas are another matter: `make check-deploy`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from services.alerts.alertfile.reading import load_alerts
from shared.exposure import check_exposed
from shared.kafkasecurity import security_of
from shared.policyfile import load_policy
from shared.settings import (
    ROOT,
    AlertsSettings,
    AsteriskSettings,
    IngestSettings,
    MonitorSettings,
    RelaySettings,
    ServiceSettings,
    load,
    misspelled,
)
from shared.sites import load_sites
from shared.users import load_users

DEPLOY = ROOT / "deploy"
KINDS: dict[str, type[ServiceSettings]] = {
    "ingest": IngestSettings,
    "monitor": MonitorSettings,
    "alerts": AlertsSettings,
    "relay": RelaySettings,
    "asterisk": AsteriskSettings,
}
OURS = ("INGEST_", "MONITOR_", "ALERTS_", "RELAY_", "ASTERISK_", "FLOORWATCH_", "AUTH_", "KAFKA_")
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl")

Service = tuple[str, str, Mapping[str, str]]  # where it is from, which one, its environment


def composed() -> Iterator[Service]:
    found = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in found["services"].items():
        if str(service["image"]).startswith("${FLOORWATCH_IMAGE"):
            values = {
                key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for key, value in service["environment"].items()
            }
            yield f"compose {name}", service["command"][0], values


def units() -> Iterator[Service]:
    common = environment_file(DEPLOY / "systemd" / "floorwatch.env.example")
    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        text = path.read_text(encoding="utf-8")
        values = dict(common)
        for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE):
            values |= dict(one.split("=", 1) for one in line.replace("%i", "a").replace("%d", "/run/secrets").split())
        if "@" in path.name:
            values |= environment_file(DEPLOY / "systemd" / "monitor-a.env.example")
        (command,) = re.findall(r"^ExecStart=/opt/floorwatch/bin/floorwatch (\w+)", text, re.MULTILINE)
        yield f"systemd {path.name}", command, values


def environment_file(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@cache
def objects(overlay: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def pods(overlay: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for one in objects(overlay):
        if one["kind"] in ("Deployment", "StatefulSet"):
            yield one, one["spec"]["template"]["spec"]


def clustered() -> Iterator[Service]:
    if not shutil.which("kubectl"):
        return
    for overlay in ("base", "example"):
        maps = {one["metadata"]["name"]: one.get("data", {}) for one in objects(overlay) if one["kind"] == "ConfigMap"}
        for workload, pod in pods(overlay):
            (container,) = pod["containers"]
            values: dict[str, str] = {}
            for source in container["envFrom"]:
                if "configMapRef" in source:
                    values |= maps[source["configMapRef"]["name"]]
            values |= {one["name"]: one.get("value", workload["metadata"]["name"]) for one in container.get("env", ())}
            yield f"kubernetes {overlay} {workload['metadata']['name']}", container["args"][0], values


SERVICES = [*composed(), *units(), *clustered()]


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one[0])
def test_a_service_takes_the_settings_that_it_is_given(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, command, values = service
    assert misspelled(values) == {}, where
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        if name.endswith("_FILE") and value.startswith("/run/secrets"):
            what = "postgresql+asyncpg://u:p@127.0.0.1/x" if "DB_URL" in name else "s" * 40
            secret = tmp_path / name
            secret.write_text(what, encoding="utf-8")
            value = str(secret)
        elif value.startswith("/etc/floorwatch/"):
            value = str(shipped(value.removeprefix("/etc/floorwatch/"), tmp_path))
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FLOORWATCH_RUN_DIR", str(tmp_path))
    found = load(KINDS[command])
    check_exposed(found)
    security_of(found)
    assert found.users_file is not None
    assert len(found.auth_secret.get_secret_value()) >= 32
    if command in ("monitor", "alerts"):
        assert found.db_url.get_secret_value().startswith("postgresql+asyncpg://")  # type: ignore[attr-defined]
    if not where.startswith("systemd"):
        assert found.host == "0.0.0.0"  # in a container of its own; what is published is another matter


def shipped(name: str, folder: Path) -> Path:
    """The file that stands for /etc/floorwatch/`name`, read by who reads it."""
    for place in (DEPLOY / "kubernetes" / "base" / "files", DEPLOY / "kubernetes" / "example", DEPLOY):
        if (place / name).exists():
            return place / name
    return DEPLOY / f"{Path(name).stem}.example.yaml"


def test_files_that_are_shipped_can_be_read() -> None:
    files = DEPLOY / "kubernetes" / "base" / "files"
    assert load_sites(files / "sites.yaml").sites == {}
    load_alerts(files / "alerts.yaml")
    load_policy(DEPLOY / "kubernetes" / "example" / "policy.yaml")
    for path in (files / "users.yaml", DEPLOY / "compose" / "users.example.yaml"):
        assert "prometheus" in load_users(path)


def test_what_compose_publishes_is_for_this_host_alone() -> None:
    found = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in found["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        if "FLOORWATCH_IMAGE" in service["image"]:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
        assert "healthcheck" in service or name not in ("kafka", "postgres")
    # while PostgreSQL makes its databases it answers to its own socket, and has not all of them yet
    assert "--host" in found["services"]["postgres"]["healthcheck"]["test"][1]
    for secret in found["secrets"].values():
        assert secret["file"].startswith("./secrets/")  # which no repository has
    assert "deploy/compose/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8")


@needs_kubectl
@pytest.mark.parametrize("overlay", ["base", "example"])
def test_pods_have_probes_and_bounds_and_no_rights(overlay: str) -> None:
    found = {workload["metadata"]["name"]: (workload, pod) for workload, pod in pods(overlay)}
    assert set(found) == {"ingest", "monitor", "alerts", "relay"}
    for name, (workload, pod) in found.items():
        (container,) = pod["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz", name
        assert (
            container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/healthz"
        )
        assert {"cpu", "memory"} == set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False  # MONITOR_PORT=tcp://... would be taken for a setting
        (secrets,) = [one["secret"] for one in pod["volumes"] if "secret" in one]
        keys = {one["key"] for one in secrets["items"]}
        assert not keys & ({"monitor-db-url", "alerts-db-url"} - {f"{name}-db-url"}), (
            f"{name} needs no other's database"
        )
        assert workload["spec"]["replicas"] == (2 if name in ("monitor", "alerts") else 1)
    assert found["monitor"][0]["kind"] == "StatefulSet"
    budgets = [one for one in objects(overlay) if one["kind"] == "PodDisruptionBudget"]
    assert {one["metadata"]["name"] for one in budgets} == {"monitor", "alerts"}


@needs_kubectl
@pytest.mark.parametrize("overlay", ["base", "example"])
def test_a_pod_has_the_files_that_its_settings_name(overlay: str) -> None:
    settings = {where: values for where, _command, values in clustered()}
    for workload, pod in pods(overlay):
        name = workload["metadata"]["name"]
        (secrets,) = [one["secret"]["items"] for one in pod["volumes"] if "secret" in one]
        there = {f"/run/secrets/floorwatch/{one['path']}" for one in secrets}
        named = {
            value for value in settings[f"kubernetes {overlay} {name}"].values() if value.startswith("/run/secrets/")
        }
        assert named <= there, name


@needs_kubectl
def test_nothing_goes_in_or_out_of_the_namespace_but_what_is_named() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in objects("base") if one["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    rules = [rule for spec in policies.values() for rule in spec.get("ingress", ())]
    (media,) = [rule for rule in rules if {"protocol": "TCP", "port": 8604} in rule["ports"]]
    assert all("ipBlock" in peer for peer in media["from"])


def test_the_image_runs_as_nobody_and_is_made_of_what_was_locked() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    last = text.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    for line in re.findall(r"pip install .*", text):
        assert "--require-hashes" in line or "--no-index" in line, line
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()}
    for name in copied:
        assert (ROOT / name).exists(), name
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    assert {name.split("/")[0] for name in copied} <= allowed


def health_check() -> dict[str, Any]:
    """The names in deploy/docker/healthcheck.py, which is in no package."""
    source = (DEPLOY / "docker" / "healthcheck.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "healthcheck"}
    exec(compile(source, "healthcheck.py", "exec"), names)
    return names


def test_ports_of_the_health_check_are_those_of_the_services() -> None:
    assert health_check()["PORTS"] == {name: kind.model_fields["port"].default for name, kind in KINDS.items()}


def test_in_compose_the_monitors_are_told_where_switches_send_the_sound() -> None:
    told = {where: "RELAY_MEDIA_URL" in values for where, _command, values in composed()}
    assert told["compose monitor-a"]  # who tells switches is the monitor, not the relay
    assert told["compose monitor-b"]


def test_the_units_that_the_document_switches_on_start_with_the_host() -> None:
    document = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    enabled = {
        name
        for line in re.findall(r"^ +systemctl enable --now ([^#\n]+)", document, re.MULTILINE)
        for name in line.split()
    }
    target = (DEPLOY / "systemd" / "floorwatch.target").read_text(encoding="utf-8")
    assert "WantedBy=multi-user.target" in target
    assert "floorwatch.target" in enabled  # what wants the services; enabling those alone starts nothing at boot
    for name in ("ingest", "monitor@a", "monitor@b", "alerts", "relay"):
        assert f"floorwatch-{name}.service" in target


def test_memory_is_called_high_before_it_ends_a_service() -> None:
    rules = (DEPLOY / "prometheus" / "floorwatch.rules.yml").read_text(encoding="utf-8")
    bounds = {
        name: float(bound)
        for names, bound in re.findall(
            r'process_resident_memory_bytes\{job=~"floorwatch-\(([a-z|]+)\)"\} > (\S+)', rules
        )
        for name in names.split("|")
    }
    assert set(bounds) == set(KINDS)
    for name, limit in limits():
        assert bounds[name] < 0.9 * limit, (name, limit)


def limits() -> Iterator[tuple[str, float]]:
    """Which service, and how many bytes something in deploy/ lets it have."""
    sizes = {"m": 2**20, "g": 2**30, "M": 2**20, "G": 2**30, "Mi": 2**20, "Gi": 2**30}
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    found = [(one["command"][0], one["mem_limit"]) for one in compose["services"].values() if "mem_limit" in one]
    for path in (DEPLOY / "systemd").glob("*.service"):
        (limit,) = re.findall(r"^MemoryMax=(\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        found.append((re.split(r"[-@.]", path.name)[1], limit))
    for path in (DEPLOY / "kubernetes" / "base").glob("*.yaml"):
        found += [
            (path.stem, limit) for limit in re.findall(r"limits: \{memory: (\w+)\}", path.read_text(encoding="utf-8"))
        ]
    assert {name for name, _limit in found} == set(KINDS)
    for name, limit in found:
        number, unit = re.fullmatch(r"(\d+)(\w+)", limit).groups()  # type: ignore[union-attr]
        yield name, int(number) * sizes[unit]


def test_prometheus_knows_the_pods_by_the_jobs_of_its_rules() -> None:
    asked = yaml.safe_load((DEPLOY / "prometheus" / "kubernetes.yml").read_text(encoding="utf-8"))["scrape_configs"]
    label = "__meta_kubernetes_pod_label_app_kubernetes_io_name"
    assert {"source_labels": [label], "target_label": "job"} in asked[0]["relabel_configs"]
    assert asked[1]["job_name"] == "floorwatch-floor"
    for name in ("ingest", "monitor", "alerts", "relay"):
        text = (DEPLOY / "kubernetes" / "base" / f"{name}.yaml").read_text(encoding="utf-8")
        pod = next(one for one in yaml.safe_load_all(text) if one["kind"] in ("Deployment", "StatefulSet"))["spec"][
            "template"
        ]
        assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == f"floorwatch-{name}"
        assert "http" in [port["name"] for port in pod["spec"]["containers"][0]["ports"]]


def test_the_health_check_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    names = health_check()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        names["address"] = lambda: f"http://127.0.0.1:{server.server_port}/healthz"
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # where nobody answers
        monkeypatch.delenv("no_proxy", raising=False)
        healthy = names["main"]() == 0
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.server_port), timeout=1):
            pass  # so that the server ends also when it was not asked
        thread.join()
    assert healthy


def test_what_was_prepared_without_docker_is_finished_with_it() -> None:
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as made:  # not below tmp_path, which is root's alone where root runs this
        folder, programs = Path(made) / "deploy", Path(made) / "bin"
        shutil.copytree(DEPLOY, folder, ignore=shutil.ignore_patterns("secrets", "files", "__pycache__"))
        docker = programs / "docker"
        programs.mkdir()
        docker.write_text(
            '#!/bin/sh\ncase "$*" in info) exit $ENDS ;; *"run --rm"*) echo TOKEN ;; esac\n', encoding="utf-8"
        )
        docker.chmod(0o755)
        if nobody:  # who may write to what is read-only
            for path in (Path(made), *Path(made).rglob("*")):
                os.chown(path, 65534, 65534)
        for ends in ("1", "0"):  # without Docker, then with it
            path = {"PATH": f"{programs}:/usr/bin:/bin", "ENDS": ends}
            done = subprocess.run(
                ["bash", folder / "compose" / "prepare.sh"],
                **nobody,
                env=path,
                cwd=made,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
        secrets = folder / "compose" / "secrets"
        assert (secrets / "prometheus_token").read_text(encoding="utf-8") == "TOKEN\n"
        assert {one.stat().st_mode & 0o777 for one in secrets.iterdir()} == {0o444}
        named = yaml.safe_load((folder / "compose" / "compose.yaml").read_text(encoding="utf-8"))["secrets"]
        assert {one.name for one in secrets.iterdir()} == set(named)
        switches = (folder / "compose" / "files" / "asterisk.yaml").read_text(encoding="utf-8")
        assert "password_file: /run/secrets/asterisk_password\n" in switches  # where compose puts it


@pytest.mark.parametrize("service", [one for one in SERVICES if one[1] == "alerts"], ids=lambda one: one[0])
def test_pages_of_alerts_are_at_the_root_of_a_name(service: Service) -> None:
    assert urlsplit(service[2].get("ALERTS_PUBLIC_URL", "")).path in ("", "/")  # they ask for /static and /api


def test_in_compose_alerts_can_be_told_whom_to_tell() -> None:
    (alerts,) = [values for _where, command, values in composed() if command == "alerts"]
    assert {"ALERTS_NOTIFY_URLS", "ALERTS_NOTIFY_URLS_FILE"} & set(alerts)  # the alert file that ships names it

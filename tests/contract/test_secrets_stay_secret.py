"""No secret is told: each service runs as a process with a distinctive value in every secret setting, whatever can go wrong does,
and what it logs, measures, answers and keeps is searched for all of them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.authkit import bearer, token, users_file
from tests.metricskit import complaints, lacking
from tests.metricskit import series as series_of
from tests.waiting import PATIENCE_S, until
from tools.metrics import registries

ROOT: Final = Path(__file__).parents[2]

SECRETS: Final = {
    name: f"{name.replace('_', '-')}-Zq7xW9"
    for name in (
        "kafka_password",
        "database_password",
        "auth_secret_of_at_least_32_bytes",
        "oidc_client_secret",
        "ami_password",
        "receiver_password",
        "receiver_path",
        "mail_password",
        "webhook_secret",
        "alertmanager_password",
        "bearer_token",
        "cookie_token",
        "session_token",
        "ticket",
        "relay_pass",
        "query_token",
        "body_password",
    )
}
ALERTS_FILE: Final = """\
receivers:
  operations: {notify: ["env:ALERTS_NOTIFY_URLS"]}
  hook: {webhook: {url: "env:HOOK_URL", secret: "env:HOOK_SECRET"}}
  manager: {alertmanager: {url: "env:MANAGER_URL"}}
routes: {receiver: operations}
"""
SITES: Final = "sites: {test: {}}\n"
POLICY: Final = "grants:\n  - {claim: groups, value: everybody, roles: [viewer]}\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Whatever a service connects to: it refuses, and repeats to it what was said, as some receivers do."""
    try:
        said = await asyncio.wait_for(reader.read(65_536), 2.0)
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(said)}\r\n\r\n"
        writer.write(head.encode() + said)
        await writer.drain()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()


class Service:
    """A process; `told` is all that it answered."""

    def __init__(self, name: str, module: str, log: Path, environment: Mapping[str, str]) -> None:
        self.name, self._module, self._log, self._environment = name, module, log, environment
        self.told: list[str] = []
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def port(self) -> int:
        """0 as long as it does not listen."""
        for line in self.log().splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["port"])
        return 0

    def over(self) -> bool:
        return self.process is not None and self.process.returncode is not None

    async def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port()}", timeout=PATIENCE_S) as http:
            answer = await http.request(method, path, **how)
        self.told.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer

    async def follow(self, path: str, **headers: str) -> None:
        """Open a WebSocket and hear what it says until it is closed."""
        try:
            async with connect(f"ws://127.0.0.1:{self.port()}{path}", additional_headers=headers, proxy=None) as one:
                async with asyncio.timeout(PATIENCE_S):
                    async for said in one:
                        self.told.append(str(said))
                self.told.append(f"{one.close_code} {one.close_reason}")
        except WebSocketException as exc:
            self.told.append(repr(exc))

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


def environment(folder: Path, broker: str, sink: int, name: str) -> dict[str, str]:
    """Everything set that is secret, and nothing there where it leads to."""
    there, s = f"127.0.0.1:{sink}", SECRETS
    database = f"postgresql://floor:{s['database_password']}@{there}/floor"
    run = folder / name
    run.mkdir()
    own = {
        "FLOORWATCH_LOG_FORMAT": "json",
        "FLOORWATCH_LOG_LEVEL": "debug",
        "FLOORWATCH_RUN_DIR": str(run),
        "FLOORWATCH_SITES_FILE": str(folder / "sites.yaml"),
        "AUTH_USERS_FILE": str(folder / "users.yaml"),
        "AUTH_POLICY_FILE": str(folder / "policy.yaml"),
        "AUTH_SECRET": s["auth_secret_of_at_least_32_bytes"],
        "AUTH_OIDC_ISSUER": f"http://{there}/realm",
        "AUTH_OIDC_CLIENT_ID": "floorwatch",
        "AUTH_OIDC_CLIENT_SECRET": s["oidc_client_secret"],
        "MONITOR_DB_URL": database,
        "ALERTS_DB_URL": f"sqlite:///{run / 'alerts.db'}",  # without one it does not begin
        "ALERTS_FILE": str(folder / "alerts.yaml"),
        "ALERTS_NOTIFY_URLS": (
            f"json://me:{s['receiver_password']}@{there}/hooks/{s['receiver_path']} "
            f"mailto://me:{s['mail_password']}@{there}/?to=ops@floor.example&from=me@floor.example"
        ),
        "HOOK_URL": f"http://me:{s['receiver_password']}@{there}/{s['receiver_path']}",
        "HOOK_SECRET": s["webhook_secret"],
        "MANAGER_URL": f"http://me:{s['alertmanager_password']}@{there}",
        "ASTERISK_FILE": str(folder / "asterisk.yaml"),
        "AMI_PASSWORD": s["ami_password"],
        **{f"{prefix}_PORT": "0" for prefix in ("MONITOR", "INGEST", "ALERTS", "RELAY", "ASTERISK")},
        "RELAY_MEDIA_PORT": "0",
        "KAFKA_BOOTSTRAP": broker,
    }
    if name in ("monitor", "ingest", "relay"):  # the others do not begin without a broker, or not to send
        own |= {
            "KAFKA_BOOTSTRAP": there,
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": "floor",
            "KAFKA_SASL_PASSWORD": s["kafka_password"],
        }
    return {**os.environ, **own}


MODULES: Final = {
    "monitor": "services.monitor.app",
    "ingest": "services.ingest.app",
    "relay": "services.monitor.listen.relay",
    "alerts": "services.alerts.app",
    "asterisk": "services.ingest.connectors.asterisk",
}


@asynccontextmanager
async def services(folder: Path, broker: str) -> AsyncIterator[dict[str, Service]]:
    users_file(folder)
    (folder / "alerts.yaml").write_text(ALERTS_FILE)
    (folder / "sites.yaml").write_text(SITES)
    (folder / "policy.yaml").write_text(POLICY)
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(await asyncio.start_server(echo, "127.0.0.1", 0))
        port = sink.sockets[0].getsockname()[1]
        (folder / "asterisk.yaml").write_text(
            f"sites:\n  test: {{host: 127.0.0.1, port: {port}, user: floor, password_env: AMI_PASSWORD, login: plain}}\n"
        )
        found = {
            name: Service(name, module, folder / f"{name}.log", environment(folder, broker, port, name))
            for name, module in MODULES.items()
        }
        for one in found.values():
            await one.start()
            stack.push_async_callback(one.stop)
        for one in found.values():
            await until(lambda one=one: one.port() or one.over(), one.name)
        yield found


async def provoke(service: Service) -> None:
    """What people and programs do wrong with what is secret, at any service."""
    s = SECRETS
    forged = token("admin", secret=s["query_token"] * 2)
    for headers in (
        {"authorization": f"Bearer {s['bearer_token']}"},
        {"authorization": f"Bearer {forged}.{s['bearer_token']}"},
        {"authorization": f"Basic {base64.b64encode(s['bearer_token'].encode()).decode()}"},
        {"cookie": f"floorwatch={s['cookie_token']}"},
    ):
        for path in ("/api/v1/me", f"/api/v1/floor?token={s['query_token']}", "/api/v1/incidents", "/nowhere"):
            await service.ask("GET", path, headers=headers)
    await service.ask("POST", "/api/v1/session", json={"token": s["session_token"]})
    await service.ask("POST", "/api/v1/session", json={"token": [s["session_token"]]})
    await service.ask("POST", "/api/v1/session", content=f'{{"password": "{s["body_password"]}"'.encode())
    await service.ask("GET", f"/api/v1/session/callback?code={s['query_token']}&state={s['session_token']}")
    await service.ask("POST", "/api/v1/raw/test", content=s["body_password"].encode(), headers=bearer_of("pbx"))
    for path in ("/api/v1/feed", "/api/v1/listens/1/audio"):
        await service.follow(f"{path}?ticket={s['ticket']}")
        await service.follow(f"{path}?ticket={s['relay_pass']}", authorization=f"Bearer {s['bearer_token']}")
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port())
    writer.write(f"GET /x?ticket={s['ticket']} HTTP/9\r\nAuthorization: {s['bearer_token']}\r\n: :\r\n\r\n".encode())
    service.told.append((await reader.read()).decode())
    writer.close()
    for path in ("/readyz", "/metrics", "/api/openapi.json", "/healthz"):
        await service.ask("GET", path)


async def all_is_measured_from_the_start(running: dict[str, Service], folder: Path) -> None:
    """Each has every metric of docs/prometheus.md, with each value of a label that is known; nobody was refused yet."""
    (kept := folder / "reference").mkdir()
    reference = registries(kept)
    for name, one in running.items():
        text = (await one.ask("GET", "/metrics")).text
        assert lacking(reference[name], text) == [], name
        assert await complaints(text) == "", name
        counted = {series: value for series, value in series_of(text) if series[0].startswith(("auth_", "http_too"))}
        assert {series for series, value in counted.items() if value} <= {
            one for one in counted if one[0] == "auth_provider_failures_total"
        }, name


def bearer_of(user: str) -> dict[str, str]:
    return bearer(user, secret=SECRETS["auth_secret_of_at_least_32_bytes"])


def forms(secret: str) -> set[str]:
    """How it may lie about: as it is, for a URL, for a header."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret, safe=""), encoded[:-2], base64.b64encode(f"me:{secret}".encode()).decode()[:-4]}


def files_of(folder: Path) -> list[Path]:
    """What the services left behind."""
    return [path for path in folder.rglob("*") if path.is_file()]


def found_in(text: str) -> set[str]:
    return {name for name, secret in SECRETS.items() if any(form in text for form in forms(secret))}


async def test_no_secret_is_logged_measured_answered_or_kept(tmp_path: Path, kafka_bootstrap: str) -> None:
    async with services(tmp_path, kafka_bootstrap) as running:
        alerts, monitor, ingest = running["alerts"], running["monitor"], running["ingest"]
        assert all(one.port() and not one.over() for one in running.values())
        await all_is_measured_from_the_start(running, tmp_path)  # here, where every service runs as a process already
        await asyncio.gather(*(provoke(one) for one in running.values()))
        for receiver in ("operations", "hook", "manager"):
            tested = await alerts.ask(
                "POST", f"/api/v1/receivers/{receiver}/test", json={"by": "x"}, headers=bearer_of("operations")
            )
            assert tested.status_code == 200
            assert tested.json()["attempts"], receiver
            assert not any(attempt["ok"] for attempt in tested.json()["attempts"])
        for path in ("/api/v1/routing", "/api/v1/notifications", "/api/v1/status"):
            await alerts.ask("GET", path, headers=bearer_of("admin"))
        for path in ("/api/v1/cases", "/api/v1/floor", "/api/v1/rules"):
            await monitor.ask("GET", path, headers=bearer_of("admin"))
        await ingest.ask("GET", "/api/v1/dead-letters", headers=bearer_of("admin"))

        async def said() -> bool:
            checks = (await running["asterisk"].ask("GET", "/readyz")).json()["checks"]
            return not checks["switch of test"]["ok"]

        await until(said, "the connector was refused by its switch")
    for one in running.values():
        assert len(one.log()) > 100, "it logged something"
        assert found_in(one.log()) == set(), f"{one.name} logged it"
        assert found_in("\n".join(one.told)) == set(), f"{one.name} answered it"
        assert "?ticket=" not in one.log().replace("?ticket=***", "")
    kept = files_of(tmp_path)
    assert any(path.name == "alerts.db" for path in kept)
    for path in kept:
        assert found_in(path.read_bytes().decode("latin-1")) == set(), path.name


def test_what_looks_for_secrets_finds_them() -> None:
    assert found_in(f"x {SECRETS['ticket']} y") == {"ticket"}
    assert found_in(base64.b64encode(f"me:{SECRETS['receiver_password']}".encode()).decode()) == {"receiver_password"}
    assert found_in("nothing") == set()

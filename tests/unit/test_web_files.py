"""Pages' files from memory: the right one, the newest one, and none from elsewhere; and what a page tells of its modules."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from shared.ports import listen
from shared.preload import with_preloads
from shared.webfiles import WebFiles

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    web = tmp_path / "web"
    (web / "hall").mkdir(parents=True)
    (web / "vendor").mkdir()
    (tmp_path / "secret.txt").write_text("not for you")
    (web / "index.html").write_text('<head><script type="module" src="/static/x/a.js"></script></head>')
    (web / "hall.html").write_text("<p>the hall</p>")
    (web / "a.js").write_text(
        'import { b } from "./hall/b.js";\nimport "../x/c.js";\nconst later = () => import("./late.js");'
    )
    (web / "hall" / "b.js").write_text('export { c } from "../c.js";\n/* import "./old.js"; */')
    (web / "c.js").write_text('import ports from "/static/ports.js";')
    (web / "vendor" / "font-1.0.woff2").write_bytes(b"font")
    return web


def client(folder: Path) -> httpx.AsyncClient:
    pages = WebFiles(folder, pages=True, modules={"/static/x": folder})
    app = Starlette(routes=[Mount("/static/x", WebFiles(folder)), Mount("/", pages)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("address", "begins"), [("/", "<head>"), ("/hall", "<p>"), ("/hall.html", "<p>"), ("/static/x/hall/b.js", "export")]
)
async def test_an_address_finds_its_file(folder: Path, address: str, begins: str) -> None:
    async with client(folder) as asked:
        answer = await asked.get(address)
    assert answer.status_code == 200
    assert answer.text.startswith(begins)


@pytest.mark.parametrize(
    "address",
    [
        "/static/x/../secret.txt",
        "/static/x/%2e%2e/%2e%2e/secret.txt",
        "/static/x/..%2fsecret.txt",
        "/static/x//etc/passwd",
        "/static/x/%2fetc%2fpasswd",
        "/static/x/a%00.js",
        "/static/x/hall",
        "/static/x/" + "a" * 5000,
        "/none",
    ],
)
async def test_nothing_else_is_found(folder: Path, address: str) -> None:
    async with client(folder) as asked:
        answer = await asked.get(address)
    assert answer.status_code == 404
    assert "not for you" not in answer.text


async def test_nothing_is_written_here(folder: Path) -> None:
    async with client(folder) as asked:
        assert (await asked.post("/hall")).status_code == 405
        assert (await asked.head("/hall")).status_code == 200


async def test_who_has_the_newest_version_is_told_so_and_gets_a_newer_one(folder: Path) -> None:
    async with client(folder) as asked:
        first = await asked.get("/static/x/c.js")
        again = await asked.get("/static/x/c.js", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        (folder / "c.js").write_text("export const c = 2;")
        os.utime(folder / "c.js", ns=(1, 1))  # a file may also become an older one
        newer = await asked.get("/static/x/c.js", headers={"if-none-match": first.headers["etag"]})
    assert (newer.status_code, newer.text) == (200, "export const c = 2;")


async def test_only_what_carries_its_version_is_kept(folder: Path) -> None:
    async with client(folder) as asked:
        assert (await asked.get("/static/x/c.js")).headers["cache-control"] == "no-cache"
        assert (await asked.get("/hall")).headers["cache-control"] == "no-cache"
        font = await asked.get("/static/x/vendor/font-1.0.woff2")
    assert "immutable" in font.headers["cache-control"]
    assert font.headers["content-type"] == "font/woff2"


async def test_a_page_tells_which_modules_it_needs_at_once(folder: Path) -> None:
    async with client(folder) as asked:
        page = (await asked.get("/")).text
    told = [part.split('"')[0] for part in page.split('rel="modulepreload" href="')[1:]]
    assert told == ["/static/x/hall/b.js", "/static/x/c.js", "/static/ports.js"]


@pytest.mark.parametrize("page", ["index", "hall", "transfers"])
def test_what_pages_tell_of_exists(page: str) -> None:
    web = ROOT / "services" / "monitor" / "web"
    folders = {"/static/shared": ROOT / "shared" / "web", "/static/monitor": web}
    html = with_preloads((web / f"{page}.html").read_text(encoding="utf-8"), folders)
    told = [part.split('"')[0] for part in html.split("load")[1:] for part in [part.split('href="', 1)[-1]]]
    assert len(told) > 20
    for address in set(told) - {"/static/ports.js"}:
        prefix = next(prefix for prefix in folders if address.startswith(prefix))
        assert (folders[prefix] / address.removeprefix(f"{prefix}/")).is_file(), address


async def test_small_answers_do_not_wait_for_each_other() -> None:
    """Without TCP_NODELAY what follows something not yet acknowledged is held back, by the kernel, for some 40 ms."""
    accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        accepted.set_result(bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    server = await asyncio.start_server(connected, sock=(sock := listen("127.0.0.1", 0, setting="X")))
    async with server, asyncio.timeout(60):
        _, writer = await asyncio.open_connection(*sock.getsockname())
        assert await accepted
        writer.close()

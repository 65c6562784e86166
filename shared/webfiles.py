"""The files of a page, served from memory.

A page here is a hundred small modules. Read by threads, as static files usually are, each costs the event loop four hand-overs,
which on a busy machine is most of what somebody who opens the page waits for. The files are few and small: they are
read once, and again when they change.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.preload import with_preloads

_TYPES: Final = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
_KEPT: Final = "public, max-age=31536000, immutable"


class WebFiles:
    """An ASGI application with the files below `directory`.

    Their names carry no version, so that a browser must ask each time and mostly hears 304; those under `vendor/` do carry
    one and are kept for ever. With `pages`, `index.html` answers for the folder itself, and of a page `hall.html` the address is
    `/hall`, also where a folder `hall/` holds its parts. `modules` says where what pages import lies, by address, so that a
    page can tell at once what it will need.
    """

    def __init__(
        self, directory: Path, *, pages: bool = False, modules: Mapping[str, Path] = MappingProxyType({})
    ) -> None:
        self._directory = directory.resolve()
        self._pages = pages
        self._modules = modules
        self._files: dict[Path, tuple[tuple[int, int], bytes, str]] = {}  # path -> its version, content and tag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises HTTPException: 404, 405."""
        if scope["type"] != "http":
            raise HTTPException(404)
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"allow": "GET, HEAD"})
        path = self._find(scope["path"].removeprefix(scope.get("root_path", "")).strip("/"))
        if path is None:
            raise HTTPException(404)
        await self._response(path, Headers(scope=scope))(scope, receive, send)

    def _find(self, wanted: str) -> Path | None:
        """The file of an address; None when there is none, or it would lie elsewhere."""
        names = [wanted]
        if self._pages:
            names = ["index.html"] if not wanted else [f"{wanted}.html", wanted] if "." not in wanted else [wanted]
        for name in names:
            if "\0" in name or len(name) > 1000:
                continue
            path = (self._directory / name).resolve()
            if path.is_relative_to(self._directory) and path.is_file():
                return path
        return None

    def _response(self, path: Path, asked: Headers) -> Response:
        content, tag = self._content(path)
        vendored = "vendor" in path.relative_to(self._directory).parts
        headers = {"cache-control": _KEPT if vendored else "no-cache", "etag": tag}
        if tag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Response(content, headers=headers, media_type=kind)

    def _content(self, path: Path) -> tuple[bytes, str]:
        found = os.stat(path)
        version = (found.st_mtime_ns, found.st_size)
        known = self._files.get(path)
        if known is None or known[0] != version:
            content = path.read_bytes()
            if path.suffix == ".html" and self._modules:
                content = with_preloads(content.decode(), self._modules).encode()
            tag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
            known = self._files[path] = (version, content, tag)
        return known[1], known[2]

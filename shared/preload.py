"""What a page will ask for, told in its head: a browser that learns of each module from the one that imports it waits once
for every step of the way down, which on a page of a hundred modules is most of the time until it shows anything.

Pages stay native modules without a build step; the list is found by reading their imports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

_SCRIPT: Final = re.compile(r'<script\s+type="module"\s+src="([^"]+)"')
_SHEET: Final = re.compile(r'<link\s+rel="stylesheet"\s+href="([^"]+)"')
# static imports only: what a page loads when it is needed is not to be loaded before
_IMPORT: Final = re.compile(r'^\s*(?:import|export)\b[^"\';]*?from\s*"([^"]+)"|^\s*import\s*"([^"]+)"', re.MULTILINE)
_CSS_IMPORT: Final = re.compile(r'@import\s+url\("([^"]+)"\)')
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)


def with_preloads(html: str, folders: Mapping[str, Path]) -> str:
    """`html` with a link for each module and style sheet that it needs besides those it names.

    `folders`: address -> folder of what is served there, such as `/static/shared`. What lies elsewhere is left to the browser.
    """
    sheets, scripts = _SHEET.findall(html), _SCRIPT.findall(html)
    links = [
        f'<link rel="preload" as="style" href="{address}">'
        for address in _needed(sheets, folders, _CSS_IMPORT)
        if address not in sheets
    ]
    links += [
        f'<link rel="modulepreload" href="{address}">'
        for address in _needed(scripts, folders, _IMPORT)
        if address not in scripts
    ]
    return html.replace("</head>", "".join(f"  {link}\n  " for link in links) + "</head>", 1)


def _needed(begin: list[str], folders: Mapping[str, Path], imports: re.Pattern[str]) -> list[str]:
    """Addresses that are needed for those in `begin`, themselves included, each once, the nearest first."""
    found = list(dict.fromkeys(begin))
    for address in found:
        path = _path_of(address, folders)
        if path is None:
            continue
        text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
        for match in imports.finditer(text):
            wanted = _absolute(next(filter(None, match.groups())), address)
            if wanted not in found:
                found.append(wanted)
    return found


def _absolute(wanted: str, by: str) -> str:
    if wanted.startswith("/"):
        return wanted
    parts: list[str] = []
    for part in (*PurePosixPath(by).parent.parts[1:], *PurePosixPath(wanted).parts):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def _path_of(address: str, folders: Mapping[str, Path]) -> Path | None:
    for prefix, folder in folders.items():
        if address.startswith(f"{prefix}/"):
            path = folder / address.removeprefix(f"{prefix}/")
            return path if path.is_file() else None
    return None

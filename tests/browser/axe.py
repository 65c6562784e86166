"""What axe, the accessibility checker, finds on a page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def serious(page: Page) -> list[tuple[str, list[Any]]]:
    """What axe finds that is serious or critical: the rule, and each place with what is wrong there.

    The scan tries styles that the pages' policy forbids, of which the browser complains.
    """
    found = (await Axe().run(page)).response
    assert len(found["passes"]) > 10, "it looked"
    return [
        (one["id"], [(node["html"][:200], node["failureSummary"]) for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]

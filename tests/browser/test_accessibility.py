"""axe over every view of the running system, dark and light: nothing serious."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.conftest import Viewer
from tests.browser.livesystem import PATIENCE_MS, simulated
from tools.pageviews import VIEWS, PageView, Picture

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def picture(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Picture]:
    async with simulated(tmp_path_factory.mktemp("axe")) as picture:
        yield picture


async def serious(page: Page) -> list[tuple[str, list[Any]]]:
    """What axe finds that is serious or critical: the rule, and each place with what is wrong there."""
    found = (await Axe().run(page)).response
    assert len(found["passes"]) > 10, "it looked"
    return [
        (one["id"], [(node["html"][:200], node["failureSummary"]) for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
async def test_a_view_has_no_serious_finding(
    viewer: Viewer, picture: Picture, view: PageView, scheme: Literal["dark", "light"]
) -> None:
    page = await viewer.open("about:blank")
    page.set_default_timeout(PATIENCE_MS)
    await page.emulate_media(
        color_scheme=scheme, reduced_motion="reduce"
    )  # what fades in is looked at when it is there
    await view.open(page, picture, **({"theme": scheme} if view.name == "hall" else {}))
    found = await serious(page)
    await page.close()
    viewer.complaints.clear()  # the scan itself tries styles that the pages' policy forbids
    assert found == []

"""Every view of the running system, in both languages, dark and light: nothing is logged, untranslated, wider than a laptop, or
hard to use for whom axe speaks.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page

from shared import topics
from tests.browser.axe import serious
from tests.browser.conftest import Viewer
from tests.browser.livesystem import PATIENCE_MS, simulated
from tools.pageviews import VIEWS, PageView, Picture

pytestmark = pytest.mark.asyncio(loop_scope="package")

# words and labels as the page shows them, each text by itself
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.parentElement.checkVisibility()) found.push(walker.currentNode.data.trim());
  for (const name of ["aria-label", "title", "placeholder", "alt"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) found.push(node.getAttribute(name).trim());
  }
  return found;
}"""
KEY = r"^[a-z][a-z_-]*(\.[a-z0-9_-]+)+$"
TOPICS = {topic.name for topic in topics.ALL}  # are no keys, though they look like some


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def picture(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Picture]:
    async with simulated(tmp_path_factory.mktemp("views")) as picture:
        yield picture


async def untranslated(page: Page) -> list[str]:
    shown: list[str] = await page.evaluate(TEXTS)
    assert len(shown) > 5
    return [text for text in shown if re.search(KEY, text) and text not in TOPICS]


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("zh-CN", "light")])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
async def test_a_view_speaks_one_language_fits_and_has_no_serious_finding(
    viewer: Viewer, picture: Picture, view: PageView, language: str, scheme: Literal["dark", "light"]
) -> None:
    page = await viewer.open("about:blank")
    page.set_default_timeout(PATIENCE_MS)
    await page.emulate_media(
        color_scheme=scheme, reduced_motion="reduce"
    )  # what fades in is looked at when it is there
    await view.open(page, picture, lang=language, **({"theme": scheme} if view.name == "hall" else {}))
    if view.name == "listen":  # the browser tells of the refusal when the call ended before the click had arrived
        viewer.complaints[:] = [one for one in viewer.complaints if not re.search("status of (404|409)", one)]
    assert await page.evaluate("document.documentElement.lang") == language
    assert await untranslated(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert viewer.complaints == []
    found = await serious(page)
    await page.close()
    viewer.complaints.clear()
    assert found == []

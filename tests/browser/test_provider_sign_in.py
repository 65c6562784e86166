"""Signing in at an identity provider in a real browser, and out, here and there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from shared.events import AgentLoggedOn, LinkUp
from shared.memorybus import MemoryBus
from tests import authkit, providerkit
from tests.browser.conftest import Viewer
from tests.browser.test_sign_in import forgive
from tests.contract.test_monitor import running
from tests.providerkit import TestProvider, a_provider

pytestmark = pytest.mark.asyncio(loop_scope="package")
POLICY = "grants:\n  - {claim: groups, value: blue-leads, roles: [supervisor], teams: [Blue]}\n"


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[tuple[TestProvider, str]]:
    """A monitor with people of a provider and login links; the provider, and the monitor's address."""
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    async with a_provider() as idp:
        idp.people["wang"] = {"groups": ["blue-leads"], "name": "Wang Fang 王芳"}
        how = authkit.settings(folder) | providerkit.settings(
            idp, policy_file=folder / "policy.yaml", oidc_label="Example SSO"
        )
        async with running(MemoryBus(), **how) as floor:
            blue, red = (
                AgentLoggedOn(agent_id=name, name=name, team=team)
                for name, team in (("Anna", "Blue"), ("Boris", "Red"))
            )
            await floor.happens(0, LinkUp(connector="test"), blue, red)
            yield idp, f"http://localhost:{floor.port}"  # another site than the provider's 127.0.0.1, as in life


async def test_one_click_leads_to_the_provider_and_back_to_where_one_wanted_to_go(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with guarded(tmp_path) as (idp, url):
        page = await viewer.open(f"{url}/?q=a")
        idp.who = "wang"
        await page.get_by_role("link", name="Continue with Example SSO").click()
        await page.wait_for_url(re.compile(r"/\?.*q=a"))
        await expect(page.get_by_text("Anna", exact=True).first).to_be_visible()
        await expect(page.get_by_text("Boris", exact=True)).to_have_count(0)
        assert await page.evaluate("document.cookie") == ""  # scripts cannot read it
        await page.locator(".topbar-who").click()
        await expect(page.locator(".login-name")).to_have_text("Wang Fang 王芳")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_text("still signed in at Example SSO")).to_be_visible()
        await page.get_by_role("link", name="Sign out there, too").click()
        await expect(page.get_by_text("signed out there")).to_be_visible()
        assert idp.who == ""
        forgive(viewer)
        await page.close()


async def test_whom_the_provider_knows_and_nobody_gave_a_role_is_told_so_in_both_languages(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with guarded(tmp_path) as (idp, url):
        page = await viewer.open(f"{url}/login.html?next=/transfers")
        idp.who = "eve"
        await page.get_by_role("link", name="Continue with Example SSO").click()
        await expect(page.get_by_role("alert")).to_contain_text(
            "Example SSO knows you, but nobody has given you a role"
        )
        await page.get_by_role("button", name="简体中文").click()
        await expect(page.get_by_role("alert")).to_contain_text("您在 Floorwatch 中没有任何角色")
        await page.get_by_text("使用登录链接").click()
        await expect(page.get_by_text("floorwatch login-link USER")).to_be_visible()
        forgive(viewer)
        await page.close()

"""What a relay does before it has read the orders that there are."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.monitor.listen.relay import hub, wire
from tests.relaykit import running


async def test_a_page_is_not_served_by_old_orders_while_a_relay_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as relay:
        here, fork_id = relay.relay.hub, await relay.fork()
        with monkeypatch.context() as reading:  # as after a start, with a day's orders to read
            reading.setattr(hub, "LISTEN_WAIT_S", 0.2)
            reading.setattr(here, "go_live", lambda: None)
            here.live = False
            here.went_live.clear()
            listen_id = await relay.listen(fork_id, until=relay.clock.now() - timedelta(hours=1))  # was prolonged later
            for known_or_not in (listen_id, "unread"):
                page = await relay.page(known_or_not)
                assert await page.closed() == wire.RELAY_ENDS, "it comes back: nothing is known of it yet"
                assert page.texts == []
            await relay.listen(fork_id, listen_id)
        here.go_live()
        page = await relay.page(listen_id)
        await page.told("state", fork_id=fork_id)

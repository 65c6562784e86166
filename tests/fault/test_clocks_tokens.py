"""What ends by time when our clock is set: a ticket by what really passed, a token by its date; a step back sends nobody out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from shared.auth import Authenticator, NotAuthenticated, SocketRefused
from shared.clock import FakeClock
from shared.tickets import TICKET_S
from shared.tokens import Signer
from shared.users import LiveUsers
from tests.authkit import SECRET, token, users_file

T0: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEPS: Final = [1.0, 5.0, 3600.0, 86_400.0, -1.0, -5.0, -3600.0, -86_400.0]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def auth(tmp_path: Path, clock: FakeClock) -> Authenticator:
    return Authenticator(clock, LiveUsers(users_file(tmp_path), clock), Signer(SECRET))


@pytest.mark.parametrize("step", STEPS)
async def test_a_ticket_lasts_thirty_seconds_whatever_the_wall_shows(
    step: float, auth: Authenticator, clock: FakeClock
) -> None:
    who = auth.of_token(token("viewer", clock=clock, hours=100))
    early, late = auth.ticket(who), auth.ticket(who)
    clock.pause(TICKET_S / 2)
    clock.set_by(step)
    clock.pause(TICKET_S / 2 - 1)
    assert (await auth.of_socket({}, {"ticket": early})).user == "viewer"
    clock.pause(2)
    with pytest.raises(SocketRefused):
        await auth.of_socket({}, {"ticket": late})


@pytest.mark.parametrize("step", STEPS)
def test_a_token_ends_at_its_date_and_a_step_back_ends_none(step: float, auth: Authenticator, clock: FakeClock) -> None:
    said = token("viewer", clock=clock)
    who = auth.of_token(said)
    assert who.expires == T0 + timedelta(hours=1)
    clock.set_by(step)
    if clock.now() < who.expires:
        assert auth.of_token(said).user == "viewer", "also one that was made at what is the future now"
        assert auth.current(who) is not None
    else:
        with pytest.raises(NotAuthenticated, match="ended at"):
            auth.of_token(said)
        assert auth.current(who) is None, "what it had opened ends with it"

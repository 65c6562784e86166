"""A real Apache Kafka that asks who we are: by user and password over TLS, by a certificate, and whom it does not let in."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import BusError
from shared.settings import CommonSettings
from shared.topics import SWITCH_RAW
from tests.brokers import JARS
from tests.guardedkafka import GUEST, PASSWORD, SCRAM_PASSWORD, Doors, bus_of
from tests.servingkit import Authority
from tests.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not JARS, reason="KAFKA_REAL_JARS names no jars of Apache Kafka: make test-kafka"),
]


async def carries(settings: CommonSettings, value: bytes) -> None:
    """Raises AssertionError unless what is written is read again."""
    async with bus_of(settings) as bus:
        await bus.create([SWITCH_RAW])
        await bus.publish(SWITCH_RAW, value, key="site")
        await bus.flush()
        reader = await bus.read([SWITCH_RAW])
        found: list[bytes] = []

        async def heard() -> bool:
            found.extend(record.value for record in await reader.getmany(timeout_s=0.1))
            return value in found

        await until(heard, "it is read again")
        await reader.close()


async def refusal(settings: CommonSettings) -> str:
    """Why it does not let us in."""
    async with bus_of(settings) as bus:
        with pytest.raises(BusError) as refused:
            await bus.create([SWITCH_RAW])
    return str(refused.value)


@pytest.mark.parametrize(("mechanism", "password"), [("PLAIN", PASSWORD), ("SCRAM-SHA-512", SCRAM_PASSWORD)])
async def test_a_user_writes_and_reads_over_tls(doors: Doors, mechanism: str, password: str) -> None:
    await carries(doors.as_user(mechanism, password), mechanism.encode())


async def test_a_certificate_does_in_place_of_a_user(doors: Doors) -> None:
    await carries(doors.by_certificate_of(doors.ours), b"by certificate")


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_said_to_be_one_and_not_repeated(doors: Doors, mechanism: str) -> None:
    why = await refusal(doors.as_user(mechanism, "guessed-1234"))
    assert "it does not let this user in: SaslAuthenticationFailed" in why
    assert "guessed" not in why


async def test_a_mechanism_that_it_does_not_know_is_said_to_be_so(doors: Doors) -> None:
    why = await refusal(doors.as_user("SCRAM-SHA-256", SCRAM_PASSWORD))
    assert "it does not let this user in: UnsupportedSaslMechanism" in why


async def test_what_a_user_may_not_do_is_named_with_its_topic(doors: Doors) -> None:
    await carries(doors.as_user("PLAIN", PASSWORD), b"so that there is a topic")
    guest = doors.as_user("PLAIN", PASSWORD, kafka_sasl_username=GUEST)
    denied = r"denies this user the right to that \((connecting|publishing to switch.raw).*AuthorizationFailed.*: see its ACLs"
    async with bus_of(guest) as bus:
        with pytest.raises(BusError, match=denied):
            await bus.publish(SWITCH_RAW, b"x", key="site")
    async with bus_of(guest.model_copy(update={"kafka_idempotent": False})) as bus:
        with pytest.raises(BusError, match=denied):
            await bus.publish(SWITCH_RAW, b"x", key="site")
        with pytest.raises(BusError, match=r"did not create topic switch.raw: Authorization failed"):
            await bus.create([SWITCH_RAW])
        with pytest.raises(BusError, match=r"topic switch.raw does not exist on .*, or this user may not see it"):
            await bus.read([SWITCH_RAW])


async def test_one_of_another_authority_or_name_is_not_told_the_password(doors: Doors, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    why = await refusal(doors.as_user("PLAIN", PASSWORD, kafka_ssl_ca_file=stranger.file))
    assert "its certificate is not trusted: unable to get local issuer certificate" in why
    elsewhere = f"localhost:{doors.by_user.rpartition(':')[2]}"
    assert "its certificate is not trusted: Hostname mismatch" in await refusal(
        doors.as_user("PLAIN", PASSWORD, kafka_bootstrap=elsewhere)
    )


async def test_who_comes_without_a_certificate_or_in_the_clear_is_not_let_in(doors: Doors) -> None:
    assert await refusal(doors.by_certificate_of(None))
    assert await refusal(CommonSettings(kafka_bootstrap=doors.by_user))

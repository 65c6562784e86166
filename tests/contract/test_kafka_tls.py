"""A real Apache Kafka that asks who we are: by user and password over TLS, by a certificate, and whom it does not let in."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import SecretStr

from shared.errors import BusError
from shared.kafka import KafkaBus
from shared.settings import CommonSettings
from shared.topics import SWITCH_RAW
from tests.brokers import JARS
from tests.servingkit import Authority, Pair
from tests.waiting import until
from tools.real_kafka import PROPERTIES, Kafka
from tools.servers import HOST, Failed, free_port

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not JARS, reason="KAFKA_REAL_JARS names no jars of Apache Kafka: make test-kafka"),
]

USER, PASSWORD, SCRAM_PASSWORD = "floor", "plain-as-day-4711", "shaken-not-stirred-0815"
GUEST = "guest"  # gets in, and may do nothing
_LOGIN = "org.apache.kafka.common.security"


class Guarded(Kafka):
    """One with three ways in: in the clear (for us to see whether it is up), by user over TLS, and by certificate."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder, Path(JARS), free_port())
        self.by_user, self.by_certificate = (f"{HOST}:{free_port()}" for _ in range(2))
        self._authority = authority

    def prepare(self) -> None:
        controller = free_port()
        listeners = f"PLAINTEXT://{self.address},SASL_SSL://{self.by_user},SSL://{self.by_certificate}"
        more = {
            "listeners": f"{listeners},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}" user_{GUEST}="{PASSWORD}";'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USER};User:certified",  # all but the guest
            "ssl.principal.mapping.rules": "RULE:^.*$/certified/",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._keystore()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._authority.file),
            "listener.name.ssl.ssl.client.auth": "required",
        }
        properties = PROPERTIES.format(host=HOST, port=self.port, controller_port=controller, data=self._data)
        self._properties.write_text(properties + "".join(f"{key}={value}\n" for key, value in more.items()))
        scram = f"SCRAM-SHA-512=[name={USER},password={SCRAM_PASSWORD}]"
        told = ["format", f"--cluster-id={uuid.uuid4().hex[:22]}", "-c", str(self._properties), "--add-scram", scram]
        done = subprocess.run([*self._java(), "kafka.tools.StorageTool", *told], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"it could not be made ready:\n{done.stdout}{done.stderr}")

    def _keystore(self) -> Path:
        """Key and certificate in one file, the key as Kafka reads it."""
        pair = self._authority.sign(HOST, file="broker")
        key = load_pem_private_key(pair.key.read_bytes(), None)
        there = self.folder / "keystore.pem"
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        there.write_bytes(pkcs8 + pair.cert.read_bytes())
        return there


@dataclass(frozen=True)
class Doors:
    """Where it is, and who signed for it."""

    by_user: str
    by_certificate: str
    authority: Authority
    ours: Pair

    def as_user(self, mechanism: str, password: str, **more: Any) -> CommonSettings:
        return CommonSettings(
            **{
                "kafka_bootstrap": self.by_user,
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": mechanism,
                "kafka_sasl_username": USER,
                "kafka_sasl_password": SecretStr(password),
                "kafka_ssl_ca_file": self.authority.file,
                "kafka_idempotent": True,
                **more,
            }
        )

    def by_certificate_of(self, pair: Pair | None) -> CommonSettings:
        return CommonSettings(
            kafka_bootstrap=self.by_certificate,
            kafka_security_protocol="SSL",
            kafka_ssl_ca_file=self.authority.file,
            kafka_ssl_cert_file=pair and pair.cert,
            kafka_ssl_key_file=pair and pair.key,
        )


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder / "ca")
    kafka = Guarded(folder / "kafka", authority)
    try:
        kafka.start()
        yield Doors(kafka.by_user, kafka.by_certificate, authority, authority.sign("floorwatch", file="client"))
    finally:
        kafka.kill()


@asynccontextmanager
async def bus_of(settings: CommonSettings) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus.of(settings, request_timeout_s=5)
    try:
        yield bus
    finally:
        await bus.close()


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

"""A real Apache Kafka that asks who we are, for tests of what it lets whom do."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import SecretStr

from shared.kafka import KafkaBus
from shared.settings import CommonSettings
from tests.brokers import JARS
from tests.servingkit import Authority, Pair
from tools.real_kafka import PROPERTIES, Kafka
from tools.servers import HOST, Failed, free_port

USER, PASSWORD, SCRAM_PASSWORD = "floor", "plain-as-day-4711", "shaken-not-stirred-0815"
GUEST = "guest"  # gets in, and may do nothing
LIMITED = "limited"  # may do what a test allows
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
                f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}" user_{GUEST}="{PASSWORD}"'
                f' user_{LIMITED}="{PASSWORD}";'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USER};User:certified",  # all but the other two
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

    in_the_clear: str  # whoever comes this way may do anything
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


@asynccontextmanager
async def bus_of(settings: CommonSettings, *, request_timeout_s: float = 5) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus.of(settings, request_timeout_s=request_timeout_s)
    try:
        yield bus
    finally:
        await bus.close()

"""Settings of the lines to and from a service: how brokers are spoken to, TLS of our ports, who may ask how often."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from shared.settingtypes import OptionalPath, commas

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(commas)]


class KafkaSecuritySettings(BaseSettings):
    """A part of `shared.settings.CommonSettings`, in the words of Kafka's own clients."""

    kafka_security_protocol: SecurityProtocol = Field("PLAINTEXT", validation_alias="KAFKA_SECURITY_PROTOCOL")
    kafka_sasl_mechanism: SaslMechanism = Field("SCRAM-SHA-512", validation_alias="KAFKA_SASL_MECHANISM")
    kafka_sasl_username: str = Field("", validation_alias="KAFKA_SASL_USERNAME")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), validation_alias="KAFKA_SASL_PASSWORD")
    # whose signature a broker's certificate must bear; none: the system's authorities
    kafka_ssl_ca_file: OptionalPath = Field(None, validation_alias="KAFKA_SSL_CA_FILE")
    kafka_ssl_cert_file: OptionalPath = Field(None, validation_alias="KAFKA_SSL_CERT_FILE")  # ours, where brokers ask
    kafka_ssl_key_file: OptionalPath = Field(None, validation_alias="KAFKA_SSL_KEY_FILE")
    kafka_ssl_key_password: SecretStr = Field(SecretStr(""), validation_alias="KAFKA_SSL_KEY_PASSWORD")


class ServingSettings(BaseSettings):
    """A part of `shared.settings.ServiceSettings`: the same for every service of a machine."""

    # PEM: the certificate with what it is signed by, and its key. With them the ports speak TLS and nothing else
    tls_cert_file: OptionalPath = Field(None, validation_alias="FLOORWATCH_TLS_CERT_FILE")
    tls_key_file: OptionalPath = Field(None, validation_alias="FLOORWATCH_TLS_KEY_FILE")
    tls_key_password: SecretStr = Field(SecretStr(""), validation_alias="FLOORWATCH_TLS_KEY_PASSWORD")
    # whose word counts on where a request came from (X-Forwarded-For and -Proto): proxies in front, as addresses or networks
    trusted_proxies: _Networks = Field(
        (ip_network("127.0.0.0/8"), ip_network("::1/128")), validation_alias="FLOORWATCH_TRUSTED_PROXIES"
    )
    # connections that speak HTTP, in all and of one address; feeds, once open, are bounded for each user
    max_http_connections: int = Field(8000, ge=10, validation_alias="FLOORWATCH_MAX_HTTP_CONNECTIONS")
    max_http_connections_each: int = Field(2000, ge=5, validation_alias="FLOORWATCH_MAX_HTTP_CONNECTIONS_EACH")
    # of one user at one address; a minute's worth may come at once. A page that opens asks some twenty times
    reads_per_minute: int = Field(6000, ge=60, validation_alias="FLOORWATCH_READS_PER_MINUTE")
    writes_per_minute: int = Field(1200, ge=10, validation_alias="FLOORWATCH_WRITES_PER_MINUTE")
    events_per_minute: int = Field(60_000, ge=60, validation_alias="FLOORWATCH_EVENTS_PER_MINUTE")  # sent to ingest
    # of one address: attempts to sign in that fail, and requests of nobody who is known
    sign_in_failures_per_minute: int = Field(30, ge=1, validation_alias="FLOORWATCH_SIGN_IN_FAILURES_PER_MINUTE")
    unknown_per_minute: int = Field(1200, ge=10, validation_alias="FLOORWATCH_UNKNOWN_PER_MINUTE")

"""Settings of who somebody is: `AUTH_*`, the same for every service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from shared.settingtypes import OptionalPath, commas

# what a provider may sign with: all of RFC 7518 and RFC 8037 that has a public key
OidcAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]  # fmt: skip
_Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(commas)]


def _or_all(value: Any) -> Any:
    return commas(value) or get_args(OidcAlgorithm)  # an empty variable is one that nobody set


_Algorithms = Annotated[tuple[OidcAlgorithm, ...], NoDecode, BeforeValidator(_or_all)]


class AuthSettings(BaseSettings):
    """A part of `shared.settings.CommonSettings`."""

    # who may see and do what; none, and no provider either: everybody who reaches a port is the same local user
    users_file: OptionalPath = Field(None, validation_alias="AUTH_USERS_FILE")
    # what tokens are signed with; none: a file in the run directory, for services on one machine
    auth_secret: SecretStr = Field(SecretStr(""), validation_alias="AUTH_SECRET")
    # what roles may do, and what people of the provider are given; none: as built in, which is as in deploy/policy.yaml
    policy_file: OptionalPath = Field(None, validation_alias="AUTH_POLICY_FILE")
    # listen to the network although nobody has to sign in: whoever reaches the port may do everything
    insecure_no_sign_in: bool = Field(False, validation_alias="AUTH_INSECURE_NO_SIGN_IN")

    # an identity provider (OpenID Connect); none: only tokens and login links of our own
    oidc_issuer: str = Field(
        "",
        validation_alias="AUTH_OIDC_ISSUER",
        pattern=r"^((https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s?#]+)?$",
        description="a URL such as https://login.example.org/realms/floor, with https unless it is on this machine",
    )
    oidc_audience: _Names = Field(
        (), validation_alias="AUTH_OIDC_AUDIENCE"
    )  # of programs' tokens; none: the client's id
    oidc_client_id: str = Field("", validation_alias="AUTH_OIDC_CLIENT_ID")  # none: nobody signs in by browser there
    oidc_client_secret: SecretStr = Field(SecretStr(""), validation_alias="AUTH_OIDC_CLIENT_SECRET")
    oidc_scopes: str = Field("openid profile email", validation_alias="AUTH_OIDC_SCOPES", pattern=r"(^| )openid( |$)")
    oidc_user_claim: str = Field("preferred_username", validation_alias="AUTH_OIDC_USER_CLAIM", min_length=1)
    oidc_name_claim: str = Field("name", validation_alias="AUTH_OIDC_NAME_CLAIM")
    oidc_algorithms: _Algorithms = Field(get_args(OidcAlgorithm), validation_alias="AUTH_OIDC_ALGORITHMS")
    # by so much the provider's clock may differ from ours
    oidc_skew_s: float = Field(60.0, validation_alias="AUTH_OIDC_SKEW_S", ge=0, le=600)
    # a shift: after that somebody signs in anew, and with the groups that they are in then
    oidc_session_hours: float = Field(10.0, validation_alias="AUTH_OIDC_SESSION_HOURS", gt=0, le=24 * 31)
    # whose signature the provider's certificate must bear; none: the system's authorities
    oidc_ca_file: OptionalPath = Field(None, validation_alias="AUTH_OIDC_CA_FILE")
    # where the provider sends browsers back to, if not to the address by which they came: behind some proxies
    oidc_redirect_url: str = Field(
        "", validation_alias="AUTH_OIDC_REDIRECT_URL", pattern=r"^(https?://[^\s/]+/api/v1/session/callback)?$",
        description="a URL that ends in /api/v1/session/callback",
    )  # fmt: skip
    oidc_label: str = Field(
        "", validation_alias="AUTH_OIDC_LABEL", max_length=60
    )  # on the button; none: the issuer's host

    @property
    def identified(self) -> bool:
        """Whether people have to sign in: there is a users file, or a provider."""
        return self.users_file is not None or bool(self.oidc_issuer)

"""An identity provider for tests: a real HTTP server on 127.0.0.1 that describes itself, lists its keys, and signs people in.

async with a_provider() as idp:
    idp.people["wang"] = {"groups": ["supervisors"]}
    idp.token("wang")                    # an access token for the audience "floor"
    idp.rotate()                         # signs with a new key; the old one stays in its list until `forget_old`
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.clock import Clock, SystemClock
from shared.ports import listen

CLIENT, CLIENT_SECRET, AUDIENCE = "floor-client", "s3cret/with:signs", "floor"


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of this test run; making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Key(Struct, frozen=True):
    """What the provider signs with."""

    kid: str
    algorithm: str
    private: Any

    def public(self) -> dict[str, Any]:
        """As it is listed."""
        kind: Any = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}[self.algorithm[0]]
        kind = OKPAlgorithm if self.algorithm == "EdDSA" else kind
        listed: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return {name: value for name, value in listed.items() if name != "key_ops"} | (
            {"kid": self.kid, "use": "sig", "alg": self.algorithm} if self.kid else {}
        )


def key_of(kid: str, algorithm: str, number: int = 0) -> Key:
    """A key for this algorithm."""
    if algorithm == "EdDSA":
        return Key(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
    curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    if algorithm in curves:
        return Key(kid, algorithm, ec.generate_private_key(curves[algorithm]()))
    return Key(kid, algorithm, rsa_key(number))


class TestProvider:
    """The provider. `asked` counts requests by path; `away`: each answer is 503; `lies`: parts of its description."""

    __test__ = False

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.issuer = ""
        self.keys = [key_of("first", "RS256")]
        self.listed = list(self.keys)
        self.people: dict[str, dict[str, Any]] = {}
        self.thin: set[str] = set()  # claims that only userinfo tells
        self.asked: dict[str, int] = {}
        self.away = False
        self.lies: dict[str, Any] = {}
        self.answers_with: str | None = None  # instead of a code: an error
        self.id_token_claims: dict[str, Any] = {}
        self.who = ""  # who is signed in at the provider's page
        self._codes: dict[str, dict[str, str]] = {}
        self._access: dict[str, str] = {}

    def rotate(self, algorithm: str = "RS256") -> None:
        """Sign with another key from now on."""
        number = len(self.keys)
        self.keys.append(key_of(f"key-{number}", algorithm, number))
        self.listed.append(self.keys[-1])

    def forget_old(self) -> None:
        """List the newest key alone."""
        self.listed = self.listed[-1:]

    def claims(self, user: str, **more: Any) -> dict[str, Any]:
        """What a token of this person says."""
        now = self.clock.now()
        said = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": f"id-of-{user}",
            "preferred_username": user,
            "name": user.title(),
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=5)).timestamp()),
        }
        found = said | self.people.get(user, {}) | more
        return {name: value for name, value in found.items() if value is not None}

    def token(self, user: str, *, key: Key | None = None, head: dict[str, Any] | None = None, **more: Any) -> str:
        """A token; `more` are claims, None takes one out."""
        signing = key or self.keys[-1]
        named = {"kid": signing.kid} if signing.kid else {}
        said = json.dumps(self.claims(user, **more)).encode()  # whatever it is: a provider may be wrong
        return jwt.PyJWS().encode(
            said, signing.private, signing.algorithm, headers={"typ": "JWT"} | named | (head or {})
        )

    def bearer(self, user: str, **more: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(user, **more)}"}

    def app(self) -> Starlette:
        """Its HTTP side."""
        routes = {
            "/.well-known/openid-configuration": self._description,
            "/keys": self._keys,
            "/authorize": self._authorize,
            "/userinfo": self._userinfo,
            "/out": self._out,
        }
        found = [Route(path, self._counted(path, answer)) for path, answer in routes.items()]
        return Starlette(routes=[*found, Route("/token", self._counted("/token", self._token), methods=["POST"])])

    def _counted(self, path: str, answer: Any) -> Any:
        async def handle(request: Request) -> Response:
            self.asked[path] = self.asked.get(path, 0) + 1
            if self.away:
                return Response(status_code=503)
            found: Response = await answer(request)
            return found

        return handle

    async def _description(self, _request: Request) -> Response:
        said = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/out",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return JSONResponse(said | self.lies)

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [key.public() for key in self.listed]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        if self.answers_with:
            return _back(asked, error=self.answers_with)
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked | {"user": self.who}
        return _back(asked, code=code, iss=self.issuer)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        begun = self._codes.pop(form.get("code", ""), None)
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        )
        known = _client(request) == (CLIENT, CLIENT_SECRET)
        if (
            begun is None
            or not known
            or challenge != begun["code_challenge"]
            or form["redirect_uri"] != begun["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant" if known else "invalid_client"}, 400)
        user, access = begun["user"], secrets.token_urlsafe(8)
        self._access[access] = user
        said = {"aud": CLIENT, "nonce": begun["nonce"]} | dict.fromkeys(self.thin) | self.id_token_claims
        return JSONResponse({"access_token": access, "token_type": "Bearer", "id_token": self.token(user, **said)})

    async def _userinfo(self, request: Request) -> Response:
        user = self._access[request.headers["authorization"].removeprefix("Bearer ")]
        return JSONResponse({"sub": f"id-of-{user}"} | self.people.get(user, {}))

    async def _out(self, _request: Request) -> Response:
        self.who = ""
        return Response("signed out there")


def _client(request: Request) -> tuple[str, str]:
    kind, _, said = request.headers.get("authorization", "").partition(" ")
    assert kind == "Basic"
    user, _, secret = base64.b64decode(said).decode().partition(":")
    return unquote(user), unquote(secret)


def _back(asked: dict[str, str], **said: str) -> Response:
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return RedirectResponse(f"{asked['redirect_uri']}{joint}{urlencode(said | {'state': asked['state']})}", 302)


@asynccontextmanager
async def a_provider(clock: Clock | None = None, **tls: Any) -> AsyncIterator[TestProvider]:
    """It, while it serves; with uvicorn's `ssl_certfile` and `ssl_keyfile` by https."""
    made = TestProvider(clock)
    sock = listen("127.0.0.1", 0, setting="PORT")
    made.issuer = f"{'https' if tls else 'http'}://127.0.0.1:{sock.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(made.app(), log_config=None, lifespan="off", **tls))
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0)
    try:
        yield made
    finally:
        serving.cancel()  # asked to end it would look at its clock once more, ten times a second
        await asyncio.wait([serving])
        for one in server.servers:
            one.close()


def settings(idp: TestProvider, **more: Any) -> dict[str, Any]:
    """What a service's settings need to know of it."""
    return {
        "oidc_issuer": idp.issuer,
        "oidc_audience": (AUDIENCE,),
        "oidc_client_id": CLIENT,
        "oidc_client_secret": CLIENT_SECRET,
    } | more

"""Tokens of an identity provider: which are good, and what is said of each that is not. Attacks of RFC 8725 and others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.clock import FakeClock
from shared.errors import ProviderFault
from shared.oidckeys import ALGORITHMS, MIN_RSA_BITS, Expected, Keys, checked, read_keys
from shared.tokens import MAX_PROVIDED, KeyUnknown, NotAuthenticated
from tests.providerkit import AUDIENCE, Key, TestProvider, key_of, rsa_key

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SKEW = timedelta(seconds=60)


@pytest.fixture
def idp() -> TestProvider:
    made = TestProvider(FakeClock(T0))
    made.issuer = "https://login.example"
    return made


def expected(idp: TestProvider, **more: Any) -> Expected:
    return Expected(
        **{"issuer": idp.issuer, "audiences": frozenset({AUDIENCE}), "algorithms": frozenset(ALGORITHMS), "skew": SKEW}
        | more
    )


def keys_of(idp: TestProvider) -> Keys:
    return read_keys({"keys": [key.public() for key in idp.listed]}, ALGORITHMS)


def look(idp: TestProvider, token: str, at: timedelta = timedelta(), **more: Any) -> dict[str, Any]:
    return checked(token, keys_of(idp), expected(idp, **more), T0 + at)


def refusal(idp: TestProvider, token: str, at: timedelta = timedelta(), **more: Any) -> NotAuthenticated:
    with pytest.raises(NotAuthenticated) as told:
        look(idp, token, at, **more)
    return told.value


def test_a_good_token_says_who(idp: TestProvider) -> None:
    idp.people["wang"] = {"groups": ["a"]}
    found = look(idp, idp.token("wang"))
    assert (found["sub"], found["groups"], found["iat"], found["exp"]) == (
        "id-of-wang",
        ["a"],
        T0,
        T0 + timedelta(minutes=5),
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_that_is_allowed_does(idp: TestProvider, algorithm: str) -> None:
    idp.listed = idp.keys = [key_of("one", algorithm)]
    assert look(idp, idp.token("wang"))["sub"] == "id-of-wang"
    others = frozenset(ALGORITHMS) - {algorithm}
    assert "not allowed" in str(refusal(idp, idp.token("wang"), algorithms=others))


# ---------------------------------------------------------------- forged signatures


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed_by_hmac(idp: TestProvider, secret: bytes, **head: Any) -> str:
    """A token whose secret is something public."""
    said = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'} | head)}.{part(idp.claims('admin'))}"
    mac = hmac.new(secret, said.encode(), hashlib.sha256).digest()
    return f"{said}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", None, "HS256", "HS512", "RS1", ["RS256"], {"a": 1}, 256]
)
def test_an_algorithm_that_proves_nothing_is_refused(idp: TestProvider, alg: Any) -> None:
    body = part(idp.claims("admin"))
    for signature in ("", idp.token("admin").rpartition(".")[2]):
        told = refusal(idp, f"{part({'alg': alg, 'typ': 'JWT', 'kid': 'first'})}.{body}.{signature}")
        assert told.reason == "invalid"


def test_the_public_key_is_no_secret_to_sign_with(idp: TestProvider) -> None:
    public = idp.keys[0].private.public_key()
    forms = [
        public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)
    ]
    forms.append(json.dumps(RSAAlgorithm.to_jwk(public, as_dict=True)).encode())
    for secret in (*forms, forms[0].strip(), b""):
        assert refusal(idp, signed_by_hmac(idp, secret)).reason == "invalid"
        assert refusal(idp, signed_by_hmac(idp, secret, alg="RS256")).reason == "invalid"


def test_a_symmetric_key_in_the_providers_list_is_none(idp: TestProvider) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    listed = [{"kty": "oct", "kid": "shared", "k": secret, "alg": "HS256"}, idp.keys[0].public()]
    keys = read_keys({"keys": listed}, [*ALGORITHMS, "HS256"])
    assert keys.ids == {"first"}
    token = jwt.encode(idp.claims("admin"), b"s" * 32, "HS256", headers={"kid": "shared"})
    with pytest.raises(NotAuthenticated):
        checked(token, keys, expected(idp), T0)


def test_another_key_under_the_same_name_is_refused(idp: TestProvider) -> None:
    forged = idp.token("admin", key=Key("first", "RS256", rsa_key(99)))
    assert "signature is wrong" in str(refusal(idp, forged))
    good = idp.token("wang")
    head, body, signature = good.split(".")
    for broken in (
        f"{head}.{part(idp.claims('admin'))}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        good[:-10],
    ):
        assert refusal(idp, broken).reason == "invalid"


@pytest.mark.parametrize(
    "head", [{"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/c"}, {"x5c": ["MIIB"]}]
)
def test_where_a_token_says_its_key_is_nobody_looks(idp: TestProvider, head: dict[str, Any]) -> None:
    mine = Key("mine", "RS256", rsa_key(98))
    told = refusal(idp, idp.token("admin", key=mine, head=head | {"jwk": mine.public()}))
    assert isinstance(told, KeyUnknown)
    assert look(idp, idp.token("wang", head=head))["sub"] == "id-of-wang", "what it says besides does no harm"


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/etc/passwd",
        "first' OR '1'='1",
        "first\x00",
        "FIRST",
        " first",
        "https://evil/k",
        "a" * 9000,
    ],
)
def test_a_key_is_found_by_its_very_name_and_nothing_else(idp: TestProvider, kid: str) -> None:
    assert isinstance(refusal(idp, idp.token("admin", key=Key(kid, "RS256", rsa_key(98)))), KeyUnknown)


@pytest.mark.parametrize("kid", [1, ["first"], {"first": 1}, True])
def test_a_key_id_that_is_no_text_is_refused(idp: TestProvider, kid: Any) -> None:
    body, signature = idp.token("admin").split(".")[1:]
    assert refusal(idp, f"{part({'alg': 'RS256', 'kid': kid})}.{body}.{signature}").reason == "invalid"


def test_a_key_is_used_for_what_it_is_for_alone(idp: TestProvider) -> None:
    rsa, ec = key_of("first", "RS256"), key_of("second", "ES256")
    pss = jwt.encode(idp.claims("wang"), rsa.private, "PS256", headers={"kid": "first"})
    idp.listed = [rsa, ec]
    assert "not for PS256" in str(refusal(idp, pss)), "the list says RS256 of it"
    swapped = jwt.encode(idp.claims("wang"), rsa.private, "RS256", headers={"kid": "second"})
    assert "not for RS256" in str(refusal(idp, swapped))
    bare = {name: value for name, value in rsa.public().items() if name != "alg"}
    assert checked(pss, read_keys({"keys": [bare]}, ALGORITHMS), expected(idp), T0)["sub"] == "id-of-wang"
    sealing = read_keys({"keys": [rsa.public() | {"use": "enc"}, ec.public()]}, ALGORITHMS)
    assert sealing.ids == {"second"}


def test_a_short_rsa_key_is_none(idp: TestProvider) -> None:
    short = Key("short", "RS256", rsa_key(97, MIN_RSA_BITS // 2))
    with pytest.raises(ProviderFault, match="none of its 1 keys"):
        read_keys({"keys": [short.public()]}, ALGORITHMS)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_is_none_to_check_with_and_breaks_nothing(idp: TestProvider, algorithm: str) -> None:
    good, bad = key_of("first", "RS256"), key_of("second", algorithm, 1)
    kind: Any = {"R": RSAAlgorithm, "E": ECAlgorithm if algorithm == "ES256" else OKPAlgorithm}[algorithm[0]]
    private = {name: value for name, value in kind.to_jwk(bad.private, as_dict=True).items() if name != "key_ops"}
    keys = read_keys({"keys": [good.public(), private | {"kid": "second"}]}, ALGORITHMS)
    with pytest.raises(KeyUnknown):
        checked(idp.token("wang", key=bad), keys, expected(idp), T0)
    assert checked(idp.token("wang", key=good), keys, expected(idp), T0)["sub"] == "id-of-wang"


def test_a_token_that_names_no_key_is_tried_with_those_that_fit(idp: TestProvider) -> None:
    first, second = key_of("", "ES256"), key_of("", "ES256")
    idp.listed = [first, second]
    for key in (first, second):
        assert look(idp, idp.token("wang", key=key))["sub"] == "id-of-wang"
    assert isinstance(refusal(idp, idp.token("wang", key=key_of("", "ES256"))), KeyUnknown)


@pytest.mark.parametrize(
    "head", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"typ": "logout+jwt"}, {"typ": "dpop+jwt"}, {"typ": 5}]
)
def test_what_wants_more_than_we_know_or_is_something_else_is_refused(idp: TestProvider, head: dict[str, Any]) -> None:
    base = {"alg": "RS256", "kid": "first"} | head
    said = f"{part(base)}.{part(idp.claims('wang'))}"
    signature = jwt.get_algorithm_by_name("RS256").sign(said.encode(), idp.keys[0].private)
    token = f"{said}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    assert refusal(idp, token).reason == "invalid"


def test_access_tokens_say_what_they_are(idp: TestProvider) -> None:
    for kind in ("at+jwt", "application/at+jwt", "JWT"):
        assert look(idp, idp.token("wang", head={"typ": kind}))["sub"] == "id-of-wang"


# ---------------------------------------------------------------- for whom, from whom, when


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example/"},
        {"iss": "https://login.example.evil"},
        {"iss": ["https://login.example"]},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": []},
        {"aud": None},
        {"aud": {"floor": 1}},
        {"aud": "floor2"},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 1e300},
        {"iat": None},
        {"iat": "now"},
        {"iat": -1e18},
        {"nbf": "now"},
        {"iat": int(T0.timestamp()) + 61},
        {"nbf": int(T0.timestamp()) + 61},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_is_refused(idp: TestProvider, wrong: dict[str, Any]) -> None:
    assert refusal(idp, idp.token("wang", **wrong)).reason == "invalid"


def test_an_audience_may_be_one_of_several(idp: TestProvider) -> None:
    assert look(idp, idp.token("wang", aud=["another", AUDIENCE]))["sub"] == "id-of-wang"


def test_clocks_may_differ_by_the_skew_and_not_by_more(idp: TestProvider) -> None:
    good = idp.token("wang")
    lasts = timedelta(minutes=5)
    assert look(idp, good, lasts + SKEW - timedelta(seconds=1))["sub"]
    assert refusal(idp, good, lasts + SKEW).reason == "expired"
    early = idp.token("wang", nbf=int(T0.timestamp()) + 60, iat=int(T0.timestamp()) + 60)
    assert look(idp, early)["sub"]
    assert "whose clock" in str(refusal(idp, early, timedelta(seconds=-1)))
    strict = {"skew": timedelta()}
    assert refusal(idp, good, lasts, **strict).reason == "expired"
    assert look(idp, good, lasts - timedelta(seconds=1), **strict)["sub"]


def test_an_id_token_is_for_the_client_that_asked(idp: TestProvider) -> None:
    ours = {"audiences": frozenset({"client"}), "client": "client"}
    assert look(idp, idp.token("wang", aud="client"), **ours)["sub"]
    assert look(idp, idp.token("wang", aud=["client", "x"], azp="client"), **ours)["sub"]
    for wrong in ({"aud": ["client", "x"]}, {"aud": "client", "azp": "x"}, {"aud": AUDIENCE}):
        assert refusal(idp, idp.token("wang", **wrong), **ours).reason == "invalid"


def test_a_token_that_is_too_long_is_not_read(idp: TestProvider) -> None:
    large = idp.token("wang", groups=["g" * 36] * 200)
    assert len(large) < MAX_PROVIDED
    assert look(idp, large)["sub"]
    assert "too long" in str(refusal(idp, idp.token("wang", groups=["g" * 36] * 400)))


# ---------------------------------------------------------------- anything at all


@given(st.text(max_size=300) | st.lists(st.binary(max_size=60), min_size=2, max_size=4).map(
    lambda parts: ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts)
))  # fmt: skip
def test_whatever_is_no_token_is_refused_and_breaks_nothing(said: str) -> None:
    idp = TestProvider(FakeClock(T0))
    idp.issuer = "https://login.example"
    assert refusal(idp, said).reason == "invalid"


@pytest.mark.parametrize(
    "body", ["[]", "5", '"x"', "null", "[" * 5000, '{"exp": ' + "9" * 5000 + "}", "{", '{"iss": NaN}']
)
def test_a_body_that_is_no_object_is_refused_although_it_is_signed(idp: TestProvider, body: str) -> None:
    said = f"{part({'alg': 'RS256', 'kid': 'first'})}.{base64.urlsafe_b64encode(body.encode()).decode().rstrip('=')}"
    signature = jwt.get_algorithm_by_name("RS256").sign(said.encode(), idp.keys[0].private)
    token = f"{said}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    assert refusal(idp, token).reason == "invalid"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values | st.fixed_dictionaries({"keys": st.lists(json_values, max_size=5)}))
def test_whatever_a_list_of_keys_holds_it_is_read_or_refused(document: Any) -> None:
    with pytest.raises(ProviderFault):
        read_keys(document, ALGORITHMS)


jwk_like = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct", 5])},
    optional={
        "crv": st.sampled_from(["P-256", "Ed25519", "secp256k1", None]),
        **{
            name: st.text(max_size=10) | st.integers() | st.none()
            for name in ("n", "e", "x", "y", "k", "kid", "use", "alg")
        },
        "key_ops": st.lists(st.text(max_size=6), max_size=2) | st.integers(),
    },
)


@given(st.lists(jwk_like, max_size=4))
def test_keys_that_are_none_do_not_take_a_good_one_with_them(others: list[dict[str, Any]]) -> None:
    assert "good" in read_keys({"keys": [*others, key_of("good", "RS256").public()]}, ALGORITHMS).ids

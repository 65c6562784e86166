"""What of an address may not be written down when whoever is at it repeats it."""

from __future__ import annotations

import base64

import pytest

from services.alerts.reach.secrets import Scrubber

URL = "https://floor:p%40ss word@hooks.example/services/T0KEN/B0T?key=a1b2c3d4"


@pytest.mark.parametrize(
    "said",
    [
        "no such hook: /services/T0KEN/B0T",
        "wrong password p@ss word for user",
        "wrong password p%40ss%20word for user",
        f"Authorization: Basic {base64.b64encode(b'floor:p@ss word').decode()}",
        f"AUTH PLAIN {base64.b64encode(bytes(1) + b'floor' + bytes(1) + b'p@ss word').decode()}",
        f"334 {base64.b64encode(b'p@ss word').decode()}",
        "GET /?key=a1b2c3d4",
        "signed with hush-hush",
    ],
)
def test_what_is_repeated_of_an_address_is_struck_out_however_it_was_sent(said: str) -> None:
    found = Scrubber(URL, "hush-hush", public=("hooks.example",))(f"{said}\nat hooks.example")
    assert "***" in found
    assert found.endswith(" at hooks.example")
    for secret in ("T0KEN", "p@ss", "p%40ss", "a1b2c3d4", "hush", "Zmxvb3I6", "cEBzcyB3", "AGZsb29y"):
        assert secret not in found


def test_an_address_without_a_login_hides_nothing_more() -> None:
    assert Scrubber("http://127.0.0.1:9093", public=("127.0.0.1", "9093"))("refused: 403") == "refused: 403"

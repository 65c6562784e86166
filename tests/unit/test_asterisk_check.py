"""Settings of switches, and trying one: what a newcomer is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from floorwatch import run as running
from floorwatch.asterisk import app as asterisk_app
from floorwatch.asterisk import way_of_the_sound
from services.ingest.connectors.asterisk.check import LISTEN_S, Finding, check
from services.ingest.connectors.asterisk.config import Switch, SwitchConfig, load_switches
from shared.clock import FakeClock, SystemClock
from shared.errors import SettingsError
from tests.amikit import PASSWORD, USER, PretendSwitch, packet
from tests.waiting import until

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "asterisk.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def secret(folder: Path, text: str = "geheim\n", mode: int = 0o600) -> None:
    (folder / "pw").write_text(text, encoding="utf-8")
    (folder / "pw").chmod(mode)


def test_the_password_comes_from_a_file_beside_or_from_the_environment(tmp_path: Path) -> None:
    secret(tmp_path)
    path = write(
        tmp_path,
        "sites:\n  hq: {host: pbx, user: f, password_file: pw}\n  lab: {host: '::1', user: f, password_env: LAB, port: 5039}\n",
    )
    hq, lab = load_switches(path, {"LAB": "anders"})
    assert (hq.site, hq.password, hq.where) == ("hq", "geheim", "pbx:5038")
    assert (lab.password, lab.where) == ("anders", "[::1]:5039")
    assert "geheim" not in repr(hq)


def test_a_password_that_everybody_may_read_is_told(tmp_path: Path) -> None:
    secret(tmp_path, mode=0o644)
    with capture_logs() as logs:
        load_switches(write(tmp_path, "sites: {hq: {host: pbx, user: f, password_file: pw}}"))
    assert [line["advice"] for line in logs] == ["chmod 600"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sites:\n  hq: {host: pbx, user: f}", "2: sites.hq: needs either password_file or password_env"),
        (
            "sites:\n  hq: {host: pbx, user: f, password_env: NONE}",
            "sites.hq.password_env: the environment has no NONE",
        ),
        ("sites:\n  hq: {host: pbx, user: f, password_file: gone}", "sites.hq.password_file: "),
        ("sites:\n  hq: {host: pbx, user: f, password_file: empty}", "empty is empty"),
        ("sites:\n  hq:\n    host: a b\n    user: f\n    password_env: X", "3: sites.hq.host: expected a host name"),
        ("sites:\n  hq: {host: pbx, user: f, password_env: X, media: nowhere}", "sites.hq.media: expected host:port"),
        ("sites:\n  hq: {host: pbx, user: f, password_env: X, password: geheim}", "there is no key `password`"),
        ("sites:\n  hq: {host: pbx, user: f, password_env: X, ping_s: 0}", "sites.hq.ping_s"),
        ("sites:\n  hq/1: {host: pbx, user: f, password_env: X}", "a site's name is"),
        (
            "sites:\n  hq: {host: pbx, user: f, password_env: X, tls: true, tls_ca_file: gone.pem}",
            "sites.hq.tls_ca_file: ",
        ),
        (
            "sites:\n  hq: {host: pbx, user: f, password_env: X, tls: true, tls_ca_file: empty}",
            "empty holds no certificate in PEM",
        ),
        ("sites: {}", "no site is named"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(SettingsError) as told:
        load_switches(write(tmp_path, text), {"X": "geheim"})
    assert words in str(told.value)
    assert "asterisk.yaml:" in str(told.value)
    assert "geheim" not in str(told.value)


def test_no_file_is_told() -> None:
    with pytest.raises(SettingsError, match="ASTERISK_FILE is not set"):
        load_switches(None)


def test_the_example_is_a_good_one(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "asterisk.example.yaml").read_text(encoding="utf-8")
    secret(tmp_path)
    plain = write(tmp_path, text.replace("asterisk-hq.password", "pw"))
    assert [one.site for one in load_switches(plain)] == ["hq"]
    lines = [
        line.replace("# ", "", 1) if line.startswith("    # ") and ":" in line else line for line in text.splitlines()
    ]
    full = write(tmp_path, "\n".join(lines).replace("asterisk-hq.password", "pw"))
    assert not load_switches(full)[0].config.commands


def switch_at(pretend: PretendSwitch, password: str = PASSWORD) -> Switch:
    config = SwitchConfig(host="127.0.0.1", port=pretend.port, user=USER, password_env="X")
    return Switch("hq", config, password)


def allows(pretend: PretendSwitch, *refused: str, stamps: bool = True) -> None:
    """Answers as a real switch gives them to the trials; permission is denied for `refused`."""
    said = {
        "Originate": "Channel not specified",
        "Hangup": "No such channel",
        "PlayDTMF": "Channel not found",
        "QueuePause": "Need 'Interface' and 'Paused' parameters.",
        "ModuleCheck": "",
    }
    for action, message in said.items():
        words = "Permission denied" if action in refused else message

        def answer(_: object, asked: dict[str, str], words: str = words) -> list[bytes]:
            state = {"Response": "Error", "Message": words} if words else {"Response": "Success"}
            return [packet(**state, ActionID=asked["ActionID"])]

        pretend.answers[action] = answer
    stamp = {"Timestamp": "1795316884.456911"} if stamps else {}
    news = packet(Event="PeerStatus", Privilege="system,all", **stamp, Peer="PJSIP/1001")
    pretend.answers["CoreSettings"] = lambda _, asked: [
        packet(Response="Success", ActionID=asked["ActionID"], AsteriskVersion="20.7.0"),
        news,
    ]


async def findings(make: Callable[[PretendSwitch], None], password: str = PASSWORD) -> tuple[bool, list[Finding]]:
    told: list[Finding] = []
    async with PretendSwitch() as pretend:
        make(pretend)
        sound = await check(switch_at(pretend, password), SystemClock(), told.append)
        assert [talk.actions("Originate")[0].get("Channel") for talk in pretend.talks if talk.actions("Originate")] in (
            [None],
            [],
        )
    return sound, told


async def test_a_switch_that_has_everything() -> None:
    sound, told = await findings(allows)
    assert sound
    assert {one.state for one in told} == {"ok"}
    assert f"as {USER}: Asterisk 20.7.0" in told[0].text
    assert any("5 queues" in one.text for one in told)
    assert told[-1].text == "events carry the switch's time"


async def test_what_is_missing_is_named_with_the_word_of_manager_conf() -> None:
    sound, told = await findings(lambda pretend: allows(pretend, "Originate", "QueuePause", stamps=False))
    assert not sound
    missing = [one.text for one in told if one.state == "missing"]
    assert len(missing) == 3
    assert missing[0].startswith("write=originate, for listening")
    assert missing[1].startswith("write=agent")
    assert missing[2].startswith("timestampevents=yes")


async def test_a_login_that_is_refused_is_the_only_finding() -> None:
    sound, told = await findings(allows, password="wrong")
    assert not sound
    (only,) = told
    assert only.state == "failed"
    assert "wrong user or password" in only.text
    assert "manager.conf" in only.text


async def test_a_quiet_switch_leaves_the_stamps_open() -> None:
    told: list[Finding] = []
    clock = FakeClock()
    async with PretendSwitch() as pretend:
        allows(pretend)
        del pretend.answers["CoreSettings"]
        checking = asyncio.create_task(check(switch_at(pretend), clock, told.append))
        await until(lambda: any("write=agent" in one.text for one in told))
        await clock.advance(LISTEN_S)
        assert await checking, "what did not show is not missing"
    assert told[-1].state == "unknown"


def test_the_command_says_which_sites_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret(tmp_path)
    monkeypatch.setenv(
        "ASTERISK_FILE", str(write(tmp_path, "sites: {hq: {host: 127.0.0.1, port: 1, user: f, password_file: pw}}"))
    )
    found = CliRunner().invoke(asterisk_app, ["check", "lab"])
    assert isinstance(found.exception, SettingsError)
    assert "there are hq" in str(found.exception)
    found = CliRunner().invoke(asterisk_app, ["check"])
    assert found.exit_code == 1
    assert "FAILED   connection refused: 127.0.0.1:1; " in found.stdout
    assert "the sound of calls is to go to 127.0.0.1:8604" in found.stdout


@pytest.mark.parametrize(
    ("host", "media", "env", "finding"),
    [
        ("10.0.0.5", "", {}, ("missing", "127.0.0.1:8604")),
        ("pbx", "", {"RELAY_MEDIA_HOST": "0.0.0.0"}, ("missing", "RELAY_MEDIA_HOST")),
        ("10.0.0.5", "", {"RELAY_MEDIA_HOST": "10.0.0.9"}, ("ok", "10.0.0.9:8604")),
        ("::1", "", {}, ("ok", "127.0.0.1:8604")),
        ("10.0.0.5", "127.0.0.1:9", {}, ("ok", "127.0.0.1:9")),  # by a tunnel: whoever says so knows
        ("10.0.0.5", "", {"RELAY_MEDIA_URL": "ws://10.0.0.9:8603"}, ("missing", "wants audiosocket://")),
    ],
)
def test_a_switch_that_is_told_to_send_the_sound_to_itself_is_found(
    monkeypatch: pytest.MonkeyPatch, host: str, media: str, env: dict[str, str], finding: tuple[str, str]
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = way_of_the_sound(SwitchConfig(host=host, user=USER, media=media))
    assert found is not None
    assert (found.state, finding[1] in found.text) == (finding[0], True), found.text
    assert way_of_the_sound(SwitchConfig(host=host, user=USER, media=media, commands=False)) is None


def test_with_switches_a_run_says_what_fills_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        return running.welcome(running.plan(broker="embedded", simulator=False, speed=None, seed=None), 1.0)

    monkeypatch.setenv("FLOORWATCH_RUN_DIR", str(tmp_path / "run"))
    assert "Connect your own switch" in said()
    secret(tmp_path)
    path = write(tmp_path, "sites: {hq: {host: pbx, user: f, password_file: pw}}")
    monkeypatch.setenv("ASTERISK_FILE", str(path))
    assert f"The board fills with what the switches of {path} say" in said()
    assert "Connect your own switch" not in said()

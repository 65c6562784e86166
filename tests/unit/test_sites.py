"""sites.yaml: what is accepted, what an error names, and that unknown sites, queues and agents work."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.sites import load_sites

DEFAULT = Path(__file__).parents[2] / "deploy" / "sites.yaml"
GOOD = """\
sites:
  hq:
    time_zone: Asia/Shanghai
    queues:
      sales: {wrap_up_s: 6, service_level: {formula: F3s, within_s: 20, target: 0.8}}
    agents:
      "1001": {name: Anna, team: Blue, tags: [new_agent]}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sites.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_named_is_known_and_what_is_not_works_with_defaults(tmp_path: Path) -> None:
    sites = load_sites(write(tmp_path, GOOD))
    hq = sites.site("hq")
    assert (hq.queue("sales").wrap_up_s, hq.queue("other").wrap_up_s) == (6.0, 0.0)
    assert (hq.agent("1001").team, hq.agent("9").team) == ("Blue", "")
    assert sites.site("elsewhere").time_zone == "UTC"


def test_an_agents_id_is_text_however_it_is_written(tmp_path: Path) -> None:
    sites = load_sites(write(tmp_path, "sites: {hq: {agents: {0815: {name: Anna}}}}"))
    assert sites.site("hq").agent("0815").name == "Anna"


def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    assert load_sites(write(tmp_path, "")).site("any").queue("any").service_level.formula == "F3s"


def test_defaults_are_every_site_that_is_not_named(tmp_path: Path) -> None:
    sites = load_sites(write(tmp_path, GOOD + "defaults: {queues: {sales: {wrap_up_s: 9}}}\n"))
    assert sites.site("elsewhere").queue("sales").wrap_up_s == 9.0
    assert sites.site("hq").queue("sales").wrap_up_s == 6.0


def test_the_file_that_ships_is_right() -> None:
    assert load_sites(DEFAULT).site("demo").label == "Demo floor"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Asia/Shanghai", "Mars/Base", "sites.yaml:3: sites.hq.time_zone: 'Mars/Base' is not an IANA time zone"),
        ("wrap_up_s: 6", "wrap_up_s: -6", "sites.yaml:5: sites.hq.queues.sales.wrap_up_s: expected seconds"),
        (
            "    queues:",
            "    leases: {line_s: -1}\n    queues:",
            "sites.hq.leases.line_s: expected seconds from 0, which is for",
        ),
        (
            "wrap_up_s: 6",
            "wrap_up_s: soon",
            "sites.yaml:5: sites.hq.queues.sales.wrap_up_s: expected a number, got a text",
        ),
        ("target: 0.8", "target: 80", "sites.yaml:5: sites.hq.queues.sales.service_level.target: expected a share"),
        ("formula: F3s", "formula: F9", "sites.yaml:5: sites.hq.queues.sales.service_level.formula: invalid enum"),
        ("    agents:", "    queues:", "sites.yaml:6: cannot be used: 'queues' is there twice"),
        ("team: Blue", "teem: Blue", "sites.yaml:7: sites.hq.agents.1001.teem: there is no key `teem`"),
        ("sites:", "sites: [", "not YAML"),
        *(
            ("    queues:", f"    listening: {{{listening}}}\n    queues:", f"sites.yaml:4: sites.hq.listening.{says}")
            for listening, says in (
                ("max_s: 0", "max_s: expected seconds from 1 to a day, 86400, got 0"),
                ("purposes: []", "purposes: without one nobody could listen"),
                ("tell_agent: maybe", "tell_agent: invalid enum value 'maybe'; allowed: after, during, never"),
                ("rules: [{hours: '8-20'}]", "rules[0].hours: expected hours of the day such as"),
                ("rules: [{hours: ['08:00-09:00', '25:00-26:00']}]", "rules[0].hours: expected hours of the day"),
                ("rules: [{}, {roles: [boss]}]", "rules[1].roles[0]: invalid enum value 'boss'; allowed: admin"),
                ("purposes: [coaching], rules: [{purposes: [live_qa]}]", "rules[0].purposes: live_qa is not one of"),
                ("rules: [{team: x}]", "rules[0].team: there is no key `team`"),
            )
        ),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(SettingsError) as error:
        load_sites(write(tmp_path, GOOD.replace(old, new, 1)))
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: cannot be read"):
        load_sites(tmp_path / "nowhere.yaml")

"""What in an alert file can never count is told of, with file, line and key; and nothing else is."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.alertfile.reading import load_alerts
from services.alerts.alertfile.shadows import impossible, taken_by
from services.alerts.core.labels import Matcher, fits
from shared.errors import SettingsError
from shared.settings import ROOT

RECEIVERS = 'receivers: {a: {notify: ["json://127.0.0.1/a"]}, b: {notify: ["json://127.0.0.1/b"]}}\n'
TWO = "schedules: {night: {spans: [{hours: '20:00-08:00'}]}, day: {spans: [{hours: '08:00-20:00'}]}}\n"


def warnings(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "alerts.yaml"
    path.write_text(text, encoding="utf-8")
    return [one.replace(f"{path}", "alerts.yaml") for one in load_alerts(path).warnings]


def of_routes(tmp_path: Path, *routes: str) -> list[str]:
    below = "".join(f"    - {one}\n" for one in routes)
    text = f"{RECEIVERS}{TWO}routes:\n  receiver: a\n  routes:\n{below}    - {{match: {{rule: last}}, receiver: b}}\n"
    found = warnings(tmp_path, text)
    return [one for one in found if ": schedules." not in one]


def test_the_file_of_the_project_has_none_but_that_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_alerts(ROOT / "deploy" / "alerts.yaml", ("json://127.0.0.1/x",)).warnings == ()
    (silent,) = load_alerts(ROOT / "deploy" / "alerts.yaml").warnings
    assert "receivers.operations: has no channel" in silent


def test_a_receiver_or_a_schedule_that_nothing_names_is_told_of(tmp_path: Path) -> None:
    text = (
        'receivers:\n  a: {notify: ["json://127.0.0.1/a"], then: c}\n  b: {notify: ["json://127.0.0.1/b"]}\n'
        '  c: {notify: ["json://127.0.0.1/c"]}\n  d: {}\nschedules:\n  x: {spans: [{}]}\n'
        "routes: {receiver: a, escalate: [{after: 1h, to: [d]}]}\n"
    )
    assert warnings(tmp_path, text) == [
        "alerts.yaml:3: receivers.b: no route and no step names it, so nobody is told through it",
        "alerts.yaml:5: receivers.d: has no channel: whoever is told through it hears nothing",
        "alerts.yaml:7: schedules.x: no route names it",
    ]


@pytest.mark.parametrize(
    "routes",
    [
        ["{match: {severity: critical}, receiver: b}", "{match: {severity: critical, site: hq}}"],
        ["{match: {site: 'hq*'}}", "{match: {site: [hq1, hq2]}}"],
        ["{match: {site: 'hq*'}}", "{match: {site: 'hq-?'}}"],
        ["{match: {site: '!hq'}}", "{match: {site: branch}}"],
        ["{match: {site: '!hq'}}", "{match: {site: ['!hq', '!branch']}}"],
        ["{match: {severity: '!info'}}", "{match: {severity: [critical, warning], rule: slow}}"],
        ["{match: {severity: info}}", "{match: {severity: [critical, warning]}}", "{match: {site: hq}}"],
        ["{match: {site: hq}, schedule: night}", "{match: {site: hq, rule: slow}, schedule: night}"],
        ["{match: {site: hq}}", "{match: {site: hq}, schedule: night}"],
        ["{match: {severity: critical}, routes: [{match: {severity: warning}}]}"],
        ["{match: {site: hq}, routes: [{match: {site: ['!hq', '!x']}}]}"],
        ["{match: {team: '*'}}", "{match: {site: hq}}"],
    ],
)
def test_a_route_that_can_never_be_taken_is_told_of(tmp_path: Path, routes: list[str]) -> None:
    found = of_routes(tmp_path, *routes)
    assert any("is never taken" in one for one in found), found
    assert all(one.startswith("alerts.yaml:") for one in found)


@pytest.mark.parametrize(
    "routes",
    [
        ["{match: {severity: critical, site: hq}}", "{match: {severity: critical}}"],
        ["{match: {severity: critical}, continue: true}", "{match: {severity: critical, site: hq}}"],
        ["{match: {site: hq}, schedule: night}", "{match: {site: hq}, schedule: day}"],
        ["{match: {site: hq}, schedule: night}", "{match: {site: hq}}"],
        ["{match: {site: 'hq-?'}}", "{match: {site: 'hq*'}}"],
        ["{match: {site: ['!hq', '!branch']}}", "{match: {site: branch}}"],
        ["{match: {site: '*hq'}}", "{match: {site: 'hq*'}}"],
        ["{match: {severity: info}}", "{match: {severity: critical}}", "{match: {site: hq}}"],
        ["{match: {site: ''}}", "{match: {site: hq}}"],
    ],
)
def test_one_that_can_be_taken_is_not(tmp_path: Path, routes: list[str]) -> None:
    assert of_routes(tmp_path, *routes) == []


def test_what_is_before_it_is_named_with_its_line(tmp_path: Path) -> None:
    (found,) = of_routes(tmp_path, "{match: {site: hq}}", "{match: {site: hq, rule: slow}}")
    assert found == (
        "alerts.yaml:7: routes.routes[1]: is never taken: routes.routes[0] (line 6) before it takes all of it"
    )


def test_what_has_no_effect_and_labels_that_are_almost_ours_are_told_of(tmp_path: Path) -> None:
    text = (
        f"{RECEIVERS}groups:\n  - {{match: {{rule: 'long*'}}, by: [queue]}}\n  - {{match: {{rule: long_wait}}, by: [rule]}}\n"
        "routes:\n  receiver: a\n  routes:\n    - {match: {sevrity: critical}, receiver: b, continue: true}\n"
        "raises:\n  - {to: info, after: 1h}\n  - {match: {site: hq}, to: critical, after: 1h}\n"
    )
    assert warnings(tmp_path, text) == [
        "alerts.yaml:4: groups[1]: is never taken: groups[0] (line 3) before it takes all of it",
        "alerts.yaml:8: routes.routes[0].continue: there is no route after it that could be taken, too",
        "alerts.yaml:10: raises[0].to: has no effect: nothing is less severe than info",
        "alerts.yaml:8: routes.routes[0].match.sevrity: is severity meant? No label of ours has this name",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{severity: critcal}",
            r"alerts.yaml:5: routes.routes\[0\].match.severity: there is no 'critcal'; there are info",
        ),
        ("{simulated: maybe}", r"routes.routes\[0\].match.simulated: there is no 'maybe'; there are yes, no"),
        ("{subject: person}", r"match.subject: there is no 'person'; there are agent, call"),
    ],
)
def test_a_value_that_no_label_of_ours_has_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        warnings(tmp_path, f"{RECEIVERS}routes:\n  receiver: a\n  routes:\n    - {{match: {text}, receiver: b}}\n")


PATTERNS = st.text("ab*?", max_size=4).filter(lambda text: text.count("*") < 4)
VALUES = ["".join(letters) for length in range(5) for letters in itertools.product("ab", repeat=length)] + [
    "c",
    "ac",
    "cab",
]


def matchers(label: str) -> st.SearchStrategy[Matcher]:
    found = st.lists(PATTERNS, min_size=1, max_size=2).map(tuple)
    return st.builds(Matcher, st.just(label), found, st.booleans())


SEVERITY = st.builds(
    Matcher,
    st.just("severity"),
    st.lists(st.sampled_from(["info", "warning", "critical"]), min_size=1, max_size=2).map(tuple),
    st.booleans(),
)
ALL_OF = st.lists(matchers("site") | matchers("rule") | SEVERITY, max_size=3).map(tuple)


@settings(max_examples=60)
@given(st.lists(ALL_OF, max_size=3), ALL_OF)
def test_what_is_called_taken_or_impossible_is(earlier: list[tuple[Matcher, ...]], what: tuple[Matcher, ...]) -> None:
    never, taken = impossible(what), taken_by(earlier, what)
    if not never and not taken:
        return
    for site in VALUES:
        for rule in VALUES[::3]:
            for severity in ("info", "warning", "critical"):
                labels = {"site": site, "rule": rule, "severity": severity}
                if fits(what, labels):
                    assert not never
                    assert any(fits(earlier[n], labels) for n in taken)

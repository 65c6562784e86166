"""What messages say when a built-in text is at fault: people are told all the same."""

from __future__ import annotations

import jinja2
from structlog.testing import capture_logs

from services.alerts.reach.owntemplate import EXAMPLE
from services.alerts.reach.writing import Matter, Writing
from services.alerts.text import Text
from tests.alertskit import SITES


def test_a_fault_in_a_text_of_ours_leaves_the_bare_facts() -> None:
    text = Text(SITES, "http://127.0.0.1:8602")
    broken = (
        "{% block title %}{{ no_such_thing }}{% endblock %}{% block rest %}{% endblock %}{% block long %}{% endblock %}"
    )
    names = [f"notification.single.{language}.j2" for language in ("en", "zh")]
    text.environment.loader = jinja2.DictLoader(dict.fromkeys(names, broken))
    with capture_logs() as logs:
        message = Writing(text).write(Matter(kind="single", receiver="ops", told=(EXAMPLE,)))
    for said in (f"#{EXAMPLE.number}", EXAMPLE.summary_en, EXAMPLE.summary_zh):
        assert said in message.title
        assert said in message.body
    assert "http://127.0.0.1:8602" in message.body
    assert [one["log_level"] for one in logs] == ["error"]

"""Mail as receivers get it: one right after the other, and what a server said is written down."""

from __future__ import annotations

import pytest

from services.alerts.reach.apprisechannel import AppriseChannel
from services.alerts.reach.message import Message
from services.alerts.reach.outgoing import Outgoing
from shared.clock import SystemClock
from tests.fault.alerting import MoodyMail
from tests.sinks import MailSink, listening


def outgoing(title: str) -> Outgoing:
    return Outgoing(
        key=title,
        kind="single",
        receiver="ops",
        severity="critical",
        form="long",
        message=Message(title, "body"),
        told=(),
        instead_of="",
        again=False,
        at=SystemClock().now(),
    )


async def test_mails_follow_each_other_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many may be sent our own limit says; the library would wait 5.5 s before each but the first."""
    pauses: list[float] = []
    monkeypatch.setattr("apprise.url.time.sleep", pauses.append)
    sink = MailSink()
    async with listening(sink):
        channel = AppriseChannel(sink.url, "here")
        for number in range(3):
            answer = await channel.send(outgoing(f"mail {number}"))
            assert answer.ok, answer.text
    assert [str(mail["subject"]) for mail in sink.received] == ["mail 0", "mail 1", "mail 2"]
    assert pauses == []


@pytest.mark.parametrize("mood", ["451 4.7.1 greylisted", "550 5.7.1 not you"])
async def test_why_a_mail_was_refused_is_in_the_answer_without_the_password(mood: str) -> None:
    sink = MoodyMail(mood)
    async with listening(sink):
        answer = await AppriseChannel(sink.url, "here").send(outgoing("mail"))
    assert not answer.ok
    assert mood[:3] in answer.text
    assert mood[4:] in answer.text
    assert "ops@floor.test" not in answer.text, "the address is of the URL, which is secret"

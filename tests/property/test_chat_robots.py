"""What comes from the floor mentions nobody, links nowhere and sets no type in a chat, whichever robot reads it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import get_args

import jinja2
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from services.alerts.core.course import Coming
from services.alerts.core.sending import Form, Language
from services.alerts.core.telling import Reason
from services.alerts.reach.chatrobots import Robot, robot_of, tamed
from services.alerts.reach.message import Message
from services.alerts.reach.outgoing import Kind, Told
from services.alerts.reach.owntemplate import EXAMPLE
from services.alerts.reach.writing import Matter, Writing
from services.alerts.text import Text
from shared.siteconfig import Sites
from tests.flagkit import T0

HOME = "https://floorwatch.example.com"
WRITING = Writing(Text(Sites(), HOME))
ROBOTS: tuple[Robot, ...] = get_args(Robot)
OURS = re.compile(re.escape(HOME) + r"(?=[/?#\s]|$)[\w/#=?&.%-]*")
ACTIVE = re.compile(
    r"@|<[^>]*>|\w+://|\b(?:mailto|tel|javascript):|\w\.[^\W\d_]{2}|\d\.\d+\.\d+\.\d|&(?:#|\w+;)|[\u200b\u202e]"
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLAIN = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak"}

WICKED = (
    *(
        "@all",
        "@everyone",
        "@here",
        "＠x @李伟",
        "@channel",
        "<!channel>",
        "<!subteam^S1|all>",
        "<@U123>",
        "<#C1>",
        "<users/all>",
    ),
    *('<at user_id="all">所有人</at>', "<at>All</at>", "@**all**", "@room", "&lt;!channel&gt;", "<b>x</b>", "&#64;all"),
    *(
        "[hear it](https://evil.example/x)",
        "![x](http://evil.example/a.png)",
        "<https://evil.example|here>",
        "[a]: http://x.yy",
        f" {HOME}.evil.example/x",
        f" {HOME}:8443/x",
        f" {HOME}-x.evil.example",
    ),
    *("https://evil.example", "www.evil.example", "evil.中国", "mailto:a@b.example", "10.0.0.1", "javascript:alert(1)"),
    *("*x*", "**x**", "_x_", "__x__", "`x`", "```", "~~x~~", "||x||", "# x", "> x", "- x", "1. x", "+ x", "---", "==="),
    *(
        "a|b\n-|-",
        "x\n===",
        "    code",
        "\\*x\\*",
        "#general",
        "/kick all",
        ":fire:",
        "$$x$$",
        "\u202egnp.exe",
        "a@\u200ball",
    ),
)
NAMES = st.lists(st.sampled_from(WICKED) | st.text(max_size=8), min_size=1, max_size=4).map("".join) | st.lists(
    st.sampled_from(WICKED), min_size=1, max_size=3
).map("\n".join)


def wicked(name: str, number: int = 42) -> Told:
    labels = {"agent": name, "agent_name": name, "queue": name, "team": name, name: name}
    coming = Coming("escalated", T0 + timedelta(minutes=5), ("head",))
    texts = dict.fromkeys(("site", "rule", "subject_id", "summary_en", "summary_zh", "owner"), name)
    return msgspec.structs.replace(EXAMPLE, number=number, labels=labels, next=coming, flags=3, **texts)


def active(text: str, robot: Robot) -> str:
    """What of a text is more than words, beside our own links; "" when nothing is."""
    rest = OURS.sub("link", text)
    found = ACTIVE.search(rest)
    if found is not None:
        return found[0]
    if robot == "markdown":
        tokens = [token for block in MARKDOWN.parse(rest) for token in (block, *(block.children or ()))]
        return ", ".join(token.type for token in tokens if token.type not in PLAIN)
    return ""


@example("@all", "markdown", "short", "both", "single", "opened")
@example("[hear it](https://evil.example/x)", "markdown", "long", "en", "single", "escalated")
@given(
    NAMES,
    st.sampled_from(ROBOTS),
    st.sampled_from(get_args(Form)),
    st.sampled_from(get_args(Language)),
    st.sampled_from(get_args(Kind)),
    st.sampled_from([str(one) for one in Reason]),
)
def test_no_message_of_any_kind_has_a_mention_a_link_or_markup_of_the_floor(
    name: str, robot: Robot, form: Form, language: Language, kind: Kind, reason: str
) -> None:
    one = msgspec.structs.replace(wicked(name), reason=reason)
    told = {"single": (one,), "bundle": (one, wicked(name, 43))}.get(kind, ())
    report = Message(name, f"{name}\n{HOME}/reports.html#daily\n{name}") if kind == "report" else None
    written = WRITING.write(
        Matter(kind=kind, receiver="ops", told=told, message=report, by=name, robot=robot, at=T0), language, form
    )
    assert active(written.title, robot) == ""
    assert active(written.body, robot) == ""
    if kind != "test":
        assert "floorwatch.example.com" in written.body or form == "short"


@given(NAMES, st.sampled_from(ROBOTS))
def test_a_text_of_ones_own_keeps_its_own_markup_and_none_of_the_floor(name: str, robot: Robot) -> None:
    own = jinja2.Template("<!here> {{ it.summary_en }} {{ it.labels.agent_name }} {{ about }} *{{ site }}*")
    written = WRITING.write(Matter(kind="single", receiver="ops", told=(wicked(name),), robot=robot), own=own)
    assert written.body.startswith("<!here> ")
    assert active(written.body.removeprefix("<!here> ").replace("*", ""), robot) == ""


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize(
    "behind", [".evil.example/x", "-x.evil.example", ":8443/x", "%2eevil.example", "2/x", "@evil.example"]
)
def test_in_a_report_an_address_that_only_begins_as_ours_is_no_link(behind: str, robot: Robot) -> None:
    report = Message("Daily", f"- Chen Jing {HOME}{behind}: 12 calls\nwhole: {HOME}/reports.html#daily\n{HOME}")
    written = WRITING.write(Matter(kind="report", receiver="ops", message=report, robot=robot))
    assert active(written.body, robot) == ""
    assert f"whole: {HOME}/reports.html#daily" in written.body


@given(NAMES, st.sampled_from(ROBOTS))
def test_what_is_tamed_stays_as_it_is(name: str, robot: Robot) -> None:
    once = tamed(name, robot)
    assert tamed(once, robot) == once


@pytest.mark.parametrize(
    "name",
    [
        "Chen Jing's transfer has taken 9.3 s",
        "sales_east",
        "陈静 转接已超过 7 秒",
        "2026-11-22 09:05:07 +08:00",
        "O'Neil (VIP), 50 %",
    ],
)
def test_what_people_are_really_called_is_written_as_it_is(name: str) -> None:
    assert [tamed(name, robot) for robot in ROBOTS] == [name] * len(ROBOTS)


@pytest.mark.timeout(60)  # which a time that grows with the square of the length passes many times over
@pytest.mark.parametrize(
    "text", ["a" * 200_000, ":" + "a" * 200_000, "a." * 100_000, ":a" * 100_000, "&" + "a" * 200_000]
)
def test_a_name_without_an_end_keeps_nobody_waiting(text: str) -> None:
    assert all(tamed(text, robot) for robot in ROBOTS)


def test_mail_and_programs_are_no_chats_and_what_is_unknown_is() -> None:
    assert [robot_of(one) for one in (("mailto", "mailtos"), ("json", "jsons"))] == [None, None]
    assert [robot_of((one,)) for one in ("feishu", "lark", "wecombot")] == ["text"] * 3
    assert [robot_of((one,)) for one in ("slack", "discord", "dingtalk", "tgram", "workflows", "new")] == [
        "markdown"
    ] * 6


def test_without_a_chat_all_is_written_as_it_is() -> None:
    written = WRITING.write(Matter(kind="single", receiver="ops", told=(wicked("@all"),)), "en")
    assert "@all" in written.title

"""What comes from the floor in a message to a chat robot is words and nothing else: no mention, link or markup. Pure.

An agent's or a queue's name is whatever somebody typed into a switch. `@all` in it would wake a whole group, and
and `[hear it](https://…)` would be a link that seems to be ours. Robots have no escape that all of them know, and which markup
they read depends on the address of the robot, so characters that mean something are replaced by their look-alikes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from services.alerts.reach.message import Message
from services.alerts.reach.outgoing import Told

Robot = Literal["text", "markdown"]  # what it makes of a text; all of them know mentions and make links of addresses

# sent as text, whatever the address says; DingTalk's robot reads Markdown where the address has format=markdown
_TEXT: Final = frozenset(("feishu", "lark", "wecombot"))
# mail, and what programs read: nobody is called by a text there, and what is written shall arrive as it is
_NO_CHAT: Final = frozenset(
    (
        *(
            "mailto",
            "mailtos",
            "azure",
            "o365",
            "ses",
            "sendgrid",
            "mailgun",
            "smtp2go",
            "sparkpost",
            "postmark",
            "resend",
        ),
        *("brevo", "sendpulse", "mailersend", "json", "jsons", "xml", "xmls", "form", "forms", "rsyslog", "syslog"),
        *("mqtt", "mqtts", "amqp", "amqps"),
    )
)

_ALIKE: Final = {"@": "＠", "<": "‹", ">": "›"}
_MARKUP: Final = {
    "*": "＊",
    "`": "｀",
    "~": "～",
    "[": "［",
    "]": "］",
    "|": "｜",
    "\\": "＼",
    "#": "＃",
    "$": "＄",
    "^": "＾",
    **_ALIKE,
}
_TABLES: Final[dict[Robot, dict[int, str]]] = {"text": str.maketrans(_ALIKE), "markdown": str.maketrans(_MARKUP)}
# they turn the direction of what follows, or hide what is between two letters
_UNSEEN: Final = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u00ad]")
# begun at the first letter of a word alone, or a long one would be looked through again from each of its letters
_SCHEME: Final = re.compile(r"(?<![a-z0-9+.-])([a-z0-9+.-]+):(?=\S)", re.IGNORECASE)  # https://, mailto:
_LETTER: Final = re.compile(r"(?<![0-9])[a-z]", re.IGNORECASE)  # of a scheme: none is in 09:05
_SMILE: Final = re.compile(r":(?=[0-9+-]*[a-z_][a-z0-9_+-]*:)", re.IGNORECASE)
_DOMAIN: Final = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")  # evil.example, and no 9.3 s
_NUMBERS: Final = re.compile(r"(?<=\d)\.(?=\d+\.\d)|(?<=\d\.\d)\.(?=\d)")  # 10.0.0.1
_ENTITY: Final = re.compile(r"&(?=#|\w+;)")
_EMPHASIS: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # not the one inside of a_name
_BEGINS: Final = re.compile(r"^(?:([-+=/])|(\d+)[.)](?=\s|$))")  # a list, a rule, a heading, a command
_SLASH: Final = re.compile(r"(?<!\S)/(?=\w)")  # a command of a bot


def robot_of(schemas: Iterable[str]) -> Robot | None:
    """What an apprise plugin with these schemas talks to; None: no chat. What is not known is taken to read Markdown."""
    known = frozenset(schemas)
    if known & _NO_CHAT:
        return None
    return "text" if known & _TEXT else "markdown"


def tamed(text: str, robot: Robot) -> str:
    """One line that means nothing but its words, as people read them."""
    text = " ".join("".join(c if c.isprintable() else " " for c in _UNSEEN.sub("", text)).split())
    text = _SCHEME.sub(lambda found: f"{found[1]}：" if _LETTER.search(found[1]) else found[0], text)
    text = _ENTITY.sub("＆", _SLASH.sub("／", _NUMBERS.sub("·", _DOMAIN.sub("·", text))))
    text = text.translate(_TABLES[robot])
    if robot == "markdown":
        text = _EMPHASIS.sub("＿", _SMILE.sub("：", text))
        text = _BEGINS.sub(lambda found: f"{found[2]}·" if found[2] else _FIRST[found[1]], text)
    return text


_FIRST: Final = {"-": "–", "+": "＋", "=": "＝", "/": "／"}


def tamed_values(values: dict[str, Any], robot: Robot, ours: str) -> dict[str, Any]:
    """What a template is given. Names of receivers are the alert file's own. `ours`: what our own links begin with."""
    found = values | {
        name: tamed(values[name], robot) for name in ("site", "about", "briefly", "queue", "by") if name in values
    }
    for name in ("told_of", "worst"):
        found[name] = [tamed_told(one, robot) for one in values[name]]
    if "it" in values:
        found["it"] = tamed_told(values["it"], robot)
    found["by_rule"] = [(tamed(rule, robot), counts) for rule, counts in values["by_rule"]]
    if values.get("message") is not None:
        found["message"] = tamed_message(values["message"], robot, ours)
    return found


def tamed_told(one: Told, robot: Robot) -> Told:
    """All that is not ours or of few values."""
    texts = {
        name: tamed(getattr(one, name), robot)
        for name in ("site", "rule", "subject_id", "summary_en", "summary_zh", "owner")
    }
    labels = {tamed(name, robot): tamed(value, robot) for name, value in one.labels.items()}
    return msgspec.structs.replace(one, **texts, labels=labels)


def tamed_message(message: Message, robot: Robot, ours: str) -> Message:
    """A report, which is written already: line by line, with its links to us."""
    return msgspec.structs.replace(
        message,
        title=_line(message.title, robot, ours),
        body="\n".join(_line(line, robot, ours) for line in message.body.split("\n")),
    )


def _line(line: str, robot: Robot, ours: str) -> str:
    if not ours:
        return tamed(line, robot)
    # a host ends where a path begins: what only begins as ours does is somebody else's
    parts = re.split(rf"((?<!\S){re.escape(ours.rstrip('/'))}(?=[/?#\s]|$)[\w/#=?&.%-]*)", line)
    return " ".join(filter(None, (part if n % 2 else tamed(part, robot) for n, part in enumerate(parts))))
